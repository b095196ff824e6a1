/// The one place that knows which version this is.
enum Version {
    static let current = "0.1.0"
}
