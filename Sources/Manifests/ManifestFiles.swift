public import Shiplog

/// The manifests of files that were named one by one, read as those of a directory are.
public enum ManifestFiles {
    /// - Throws: what is wrong with a file, with its name and line.
    public static func read(_ files: [SourceFile], limits: YAMLLimits = .default) throws(Failure) -> Rendered {
        var rendering = Rendering(limits: limits)
        for file in files { try rendering.add(file) }
        return rendering.result
    }
}
