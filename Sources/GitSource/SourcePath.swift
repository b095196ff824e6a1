import Shiplog

/// A path inside a repository, taken apart: no `..`, not absolute. `.`, empty parts and a slash at the end fall away.
struct SourcePath: Equatable {
    let parts: [String]

    /// - Throws: `git.path-invalid`.
    init(_ text: String) throws(Failure) {
        guard !text.hasPrefix("/") else {
            throw Self.invalid(text, "is absolute; paths start at the root of the repository")
        }
        guard text.utf8.count <= 4096 else { throw Self.invalid(text, "is longer than 4096 bytes") }
        guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            throw Self.invalid(text, "contains a control character")
        }
        parts = text.split(separator: "/").map(String.init).filter { $0 != "." }
        guard !parts.contains("..") else { throw Self.invalid(text, "contains '..'") }
    }

    var text: String { parts.isEmpty ? "." : parts.joined(separator: "/") }

    private static func invalid(_ text: String, _ what: String) -> Failure {
        Failure(
            "git.path-invalid", "The path '\(Libgit2.printable(text, limit: 200))' " + what,
            remedy: "write a path from the root of the repository, such as deploy/production")
    }
}
