public import Shiplog

/// Which files of a repository are manifests: Argo CD's directory source.
public struct DirectoryOptions: Sendable, Hashable {
    /// From the root of the repository; empty for the root itself.
    public var path: String
    public var recurse: Bool
    /// A glob over paths relative to `path`; empty for all.
    public var include: String
    /// A glob that wins over `include`; empty for none.
    public var exclude: String
    /// Whether the application says `directory` itself; if not, the files of Helm and Kustomize mean what they mean
    /// to Argo CD, and are refused.
    public var isExplicit: Bool
    /// Names the override file `.argocd-source-NAME.yaml`; empty for none.
    public var applicationName: String
    /// Of all files together.
    public var maximumBytes: Int
    public var limits: YAMLLimits

    public init(
        path: String = "", recurse: Bool = false, include: String = "", exclude: String = "", isExplicit: Bool = false,
        applicationName: String = "", maximumBytes: Int = 10 << 20, limits: YAMLLimits = .default
    ) {
        self.path = path
        self.recurse = recurse
        self.include = include
        self.exclude = exclude
        self.isExplicit = isExplicit
        self.applicationName = applicationName
        self.maximumBytes = maximumBytes
        self.limits = limits
    }

    public init(_ application: Application) {
        self.init(
            path: application.source.path, recurse: application.source.directory.recurse,
            include: application.source.directory.include, exclude: application.source.directory.exclude,
            isExplicit: application.document.at("spec", "source", "directory")?.object != nil,
            applicationName: application.name)
    }
}

/// The manifests of a directory, rendered: the step from a commit's files to what is desired.
public struct Rendered: Sendable, Hashable {
    /// In the order of the files and, within one, of its documents; each key once.
    public var resources: [Resource]
    /// Where each stands.
    public var origins: [ResourceKey: ManifestOrigin]
    /// What a person should know: files ignored, resources named twice.
    public var warnings: [String]
    /// The files that hold no manifest, by their paths from the root of the repository.
    public var ignored: Set<String>

    public init(
        resources: [Resource], origins: [ResourceKey: ManifestOrigin], warnings: [String], ignored: Set<String> = []
    ) {
        self.resources = resources
        self.origins = origins
        self.warnings = warnings
        self.ignored = ignored
    }
}

/// A place in a file.
public struct ManifestOrigin: Sendable, Hashable, CustomStringConvertible {
    public let file: String
    /// Counted from 1.
    public let line: Int

    public init(file: String, line: Int) {
        self.file = file
        self.line = line
    }

    public var description: String { "\(file):\(line)" }
}

/// Chooses and reads the files of a directory source. Pure: Git lists and reads, this decides.
public struct DirectorySource: Sendable {
    public let options: DirectoryOptions
    private let root: [Substring]
    private let include: Glob?
    private let exclude: Glob?

    /// - Throws: `application.invalid` when a glob cannot be read.
    public init(_ options: DirectoryOptions) throws(Failure) {
        self.options = options
        root = Self.components(options.path)
        include = try Self.glob(options.include, name: "include")
        exclude = try Self.glob(options.exclude, name: "exclude")
    }

    private static func glob(_ pattern: String, name: String) throws(Failure) -> Glob? {
        if pattern.isEmpty { return nil }
        guard let glob = Glob(pattern) else {
            throw Failure(
                .applicationInvalid, "spec.source.directory.\(name) is no glob: \(YAMLComposer.quote(pattern))",
                remedy: "close each [ and {, and escape what is meant literally with \\")
        }
        return glob
    }

    private static func components(_ path: String) -> [Substring] { path.split(separator: "/").filter { $0 != "." } }

    /// Whether the file at this path, from the root of the repository, has to be read: a manifest, or a file whose
    /// presence changes how Argo CD would render the directory.
    public func matches(path: String) -> Bool {
        guard let relative = relative(path) else { return false }
        return isManifest(relative) || isSpecial(relative)
    }

    private func relative(_ path: String) -> [Substring]? {
        let parts = Self.components(path)
        guard parts.count > root.count, parts.starts(with: root) else { return nil }
        return Array(parts.dropFirst(root.count))
    }

    /// Whether a file's name says that it may hold manifests.
    public static func isManifestName(_ name: some StringProtocol) -> Bool {
        [".yaml", ".yml", ".json", ".jsonnet"].contains { name.hasSuffix($0) }
    }

    private func isManifest(_ relative: [Substring]) -> Bool {
        guard options.recurse || relative.count == 1, let name = relative.last,
            Self.isManifestName(name)
        else { return false }
        let path = relative.joined(separator: "/")
        if let exclude, exclude.matches(path) { return false }
        return include?.matches(path) ?? true
    }

    private func isSpecial(_ relative: [Substring]) -> Bool {
        guard relative.count == 1, let name = relative.first else { return false }
        return tool(of: name) != nil || isOverride(name)
    }

    private func tool(of name: Substring) -> String? {
        guard !options.isExplicit else { return nil }
        return switch name {
        case "Chart.yaml": "Helm"
        case "kustomization.yaml", "kustomization.yml", "Kustomization": "Kustomize"
        default: nil
        }
    }

    private func isOverride(_ name: Substring) -> Bool {
        name == ".argocd-source.yaml"
            || (!options.applicationName.isEmpty && name == ".argocd-source-\(options.applicationName).yaml")
    }

    /// Reads the files that `matches` chose; others are passed over.
    ///
    /// - Throws: what is wrong, with file and line: `manifest.yaml-invalid`, `manifest.invalid`,
    ///   `manifest.too-large`, `source.tool-unsupported` and their kin.
    public func render(files: [SourceFile]) throws(Failure) -> Rendered {
        var chosen: [(path: [Substring], file: SourceFile)] = []
        for file in files {
            guard let path = relative(file.path) else { continue }
            if isSpecial(path), let name = path.first { try refuse(name, file.path) }
            if isManifest(path) { chosen.append((path, file)) }
        }
        // Directory by directory in the order of names, as Argo CD walks: it decides which of two doubles is the last.
        chosen.sort { $0.path.lexicographicallyPrecedes($1.path) { $0.utf8.lexicographicallyPrecedes($1.utf8) } }
        let total = chosen.reduce(0) { $0 + $1.file.bytes.count }
        guard total <= options.maximumBytes else {
            throw Failure(
                "manifest.too-large",
                "the manifests have \(total) bytes together, more than the limit of \(options.maximumBytes)",
                remedy: "split the application, or exclude what is no manifest")
        }
        var rendering = Rendering(limits: options.limits)
        for (_, file) in chosen { try rendering.add(file) }
        return rendering.result
    }

    private func refuse(_ name: Substring, _ path: String) throws(Failure) {
        if let tool = tool(of: name) {
            throw Failure(
                "source.tool-unsupported", "\(path) makes this a \(tool) source, which is not supported yet",
                remedy: "render it into plain manifests, or set spec.source.directory to read the files as they are")
        }
        throw Failure(
            "source.override-unsupported", "\(path) overrides parameters of the source, which is not supported yet",
            remedy: "move what it sets into the application and remove it")
    }
}
