import Manifests
import Shiplog

/// The bytes of a kubeconfig as a tree.
enum KubeconfigText {
    /// - Throws: what the YAML reader finds; `kubeconfig.invalid` unless there is exactly one document.
    static func read(_ bytes: [UInt8], file: String) throws(Failure) -> JSON {
        let documents = try YAML.read(bytes, file: file)
        guard let document = documents.first, documents.count == 1 else {
            throw Failure(
                "kubeconfig.invalid", "\(file) is no usable kubeconfig: it holds \(documents.count) documents")
        }
        return document.json
    }
}
