import Foundation
import HTTPAPI
import NIOSSL
import Shiplog
import ShiplogTesting
import Testing

@Suite("TLS") struct TLSTests {
    /// A certificate for `localhost` that is its own authority, and its key.
    private static func make(_ name: String, in directory: TemporaryDirectory) throws -> (
        certificate: String, key: String
    ) {
        let (certificate, key) = (directory.path + "/\(name).pem", directory.path + "/\(name).key")
        try RunningProgram.output([
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
            "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out",
            certificate
        ])
        return (certificate, key)
    }

    private static func context(
        trusting certificate: String, maximum: TLSVersion? = nil
    ) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(certificate))
        if let maximum {
            configuration.minimumTLSVersion = .tlsv1
            configuration.maximumTLSVersion = maximum
        }
        return try NIOSSLContext(configuration: configuration)
    }

    private static func replace(_ path: String, with other: String) throws {
        let bytes = try Data(contentsOf: URL(fileURLWithPath: other))
        try bytes.write(to: URL(fileURLWithPath: path), options: .atomic)
    }

    @Test("requests and streams go over TLS 1.2 or newer, and a renewed certificate is taken up") func renewal()
        async throws
    {
        let directory = try TemporaryDirectory("tls")
        let (first, second) = (try Self.make("first", in: directory), try Self.make("second", in: directory))
        let files = ServerSettings.TLSFiles(certificate: directory.path + "/tls.pem", key: directory.path + "/tls.key")
        try Self.replace(files.certificate, with: first.certificate)
        try Self.replace(files.key, with: first.key)
        let old = try Self.context(trusting: first.certificate)
        let new = try Self.context(trusting: second.certificate)
        try await Site.run(
            settings: {
                $0.tls = files
                $0.limits.certificateInterval = 50
            },
            tls: { client in
                var copy = client
                copy.tls = old
                return copy
            }
        ) { site in
            let answer = try await site.client.get("/healthz")
            #expect(answer.status == 200)
            #expect(answer.header("Strict-Transport-Security") == "max-age=31536000")
            #expect(try await site.boss.get(Site.api + "/me").json["name"] == "admin")
            var plain = site.client
            plain.tls = nil
            #expect((try? await plain.get("/healthz").status) == nil)
            for version in [TLSVersion.tlsv1, .tlsv11] {
                plain.tls = try Self.context(trusting: first.certificate, maximum: version)
                #expect((try? await plain.get("/healthz").status) == nil, "\(version)")
            }
            try Self.replace(files.key, with: second.key)
            try Self.replace(files.certificate, with: second.certificate)
            var renewed = site.client
            renewed.tls = new
            try await until("the new certificate is in use") { (try? await renewed.get("/healthz").status) == 200 }
            #expect((try? await site.client.get("/healthz").status) == nil, "the old one is not")
            // A broken file changes nothing.
            try "no certificate".write(toFile: files.certificate, atomically: true, encoding: .utf8)
            try await Task.sleep(for: .milliseconds(120))
            #expect(try await renewed.get("/healthz").status == 200)
        }
    }

    @Test("files that are missing, or belong to others, are refused at the start") func refused() async throws {
        let directory = try TemporaryDirectory("tls")
        let (first, second) = (try Self.make("first", in: directory), try Self.make("second", in: directory))
        for (certificate, key) in [(directory.path + "/none", first.key), (first.certificate, second.key)] {
            do {
                try await Site.run(settings: { $0.tls = .init(certificate: certificate, key: key) }) { _ in }
                Issue.record("it started with \(certificate)")
            } catch let failure as Failure {
                #expect(failure.code == "server.tls-invalid")
            }
        }
    }
}
