public import Shiplog

/// An Application as a request brings it.
public enum ApplicationBody: Sendable {
    /// A program's document: what is wrong with it is said by its path.
    case json(JSON)
    /// A person's text: what is wrong with it is said by its line too.
    case yaml([UInt8])
}

/// What the API needs of the manifests' formats and does not know itself: `Manifests` is given in by whoever composes
/// the program.
public struct Formats: Sendable {
    /// Reads one Application from a request's body.
    public var readApplication: @Sendable (ApplicationBody) throws(Failure) -> (Application, [String])
    /// Reads one AppProject from a request's body.
    public var readProject: @Sendable (ApplicationBody) throws(Failure) -> (AppProject, [String])
    /// How a manifest is written for people: what differences are made of. Ends with a line break.
    public var manifestText: @Sendable (JSON) -> String

    /// - Parameters:
    ///   - readApplication: the document and its warnings. Throws `application.invalid` and what belongs to it.
    ///   - readProject: likewise. Throws `project.invalid` and what belongs to it.
    ///   - manifestText: YAML, usually.
    public init(
        readApplication: @escaping @Sendable (ApplicationBody) throws(Failure) -> (Application, [String]),
        readProject: @escaping @Sendable (ApplicationBody) throws(Failure) -> (AppProject, [String]),
        manifestText: @escaping @Sendable (JSON) -> String
    ) {
        self.readApplication = readApplication
        self.readProject = readProject
        self.manifestText = manifestText
    }
}
