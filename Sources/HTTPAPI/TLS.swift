import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Logging
import NIOCertificateReloading
import NIOSSL
import Shiplog

/// TLS with a certificate that can be renewed while the server runs.
struct TLS: Sendable {
    private let reloader: TimedCertificateReloader
    let configuration: TLSConfiguration

    /// - Parameter interval: milliseconds between two looks at the files.
    /// - Throws: `server.tls-invalid` when the files cannot be read or do not belong together.
    init(_ files: ServerSettings.TLSFiles, interval: Int64, logger: Logger) throws(Failure) {
        let configuration = TimedCertificateReloader.Configuration(
            refreshInterval: .milliseconds(max(1, interval)),
            certificateSource: .init(location: .file(path: files.certificate), format: .pem),
            privateKeySource: .init(location: .file(path: files.key), format: .pem)
        ) { configuration in
            configuration.onCertificateLoadFailed = { _ in
                logger.error(
                    "the TLS certificate could not be read again; the old one stays in use",
                    metadata: ["certificate": "\(files.certificate)"])
            }
        }
        do {
            reloader = try TimedCertificateReloader.makeReloaderValidatingSources(configuration: configuration)
            var server = try TLSConfiguration.makeServerConfiguration(certificateReloader: reloader)
            server.minimumTLSVersion = .tlsv12
            server.applicationProtocols = ["http/1.1"]
            self.configuration = server
        } catch {
            throw Failure(
                "server.tls-invalid", "the TLS certificate and key cannot be used",
                remedy: "check that \(files.certificate) and \(files.key) are PEM files, readable, and belong together")
        }
    }

    /// Looks at the files again and again, until cancelled.
    func run() async { try? await reloader.run() }
}
