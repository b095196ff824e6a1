import Shiplog

/// The bytes of a kubeconfig as a tree.
enum KubeconfigText {
    static func read(_ bytes: [UInt8], file: String) throws(Failure) -> JSON {
        do throws(JSONError) {
            return try JSON(parsing: bytes)
        } catch {
            throw Failure("kubeconfig.invalid", "\(file) is no usable kubeconfig: \(error)")
        }
    }
}
