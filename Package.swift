// swift-tools-version: 6.2
// The house: one target a technology, or one that is provably pure. See docs/architecture.md.
import PackageDescription

// The Makefile sets this: whoever only builds Shiplog with a newer compiler is not stopped by that compiler's opinions.
let strict: [SwiftSetting] = Context.environment["SHIPLOG_STRICT"] == nil ? [] : [.treatAllWarnings(as: .error)]
let swiftSettings: [SwiftSetting] =
    strict + [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InferIsolatedConformances")
    ]

let log = Target.Dependency.product(name: "Logging", package: "swift-log")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")

func target(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

func tests(of name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(
        name: name + "Tests", dependencies: [.target(name: name)] + dependencies,
        exclude: exclude, swiftSettings: swiftSettings)
}

let package = Package(
    name: "shiplog",
    platforms: [.macOS(.v15)],
    products: [.executable(name: "shiplog", targets: ["ShiplogCommand"])],
    dependencies: [
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.6"),
        .package(url: "https://github.com/apple/swift-nio-extras", exact: "1.35.2"),
        .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0")
    ],
    targets: [
        // The words and the pure decisions.
        target("Shiplog", []),

        // System libraries.
        .systemLibrary(name: "CLibgit2", pkgConfig: "libgit2", providers: [.apt(["libgit2-dev"])]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),

        // One technology each.
        target("GitSource", ["Shiplog", "CLibgit2", log]),
        target("Manifests", ["Shiplog", "CYAML", crypto, log]),
        target("KubernetesAPI", ["Shiplog", "Manifests", "CCurl", log]),
        // The tree over the log and its proofs: pure but for SHA-256 and signatures.
        target("TransparencyLog", ["Shiplog", crypto]),
        // Encrypted files as `age` reads and writes them: pure but for ciphers and chance.
        target("AgeFormat", ["Shiplog", crypto, .product(name: "CryptoExtras", package: "swift-crypto")]),
        .target(
            name: "Migrations", path: "migrations", exclude: ["README.md"],
            resources: [.embedInCode("0001_ledger.sql"), .embedInCode("0002_tree.sql")], swiftSettings: swiftSettings),
        target(
            "LedgerStore",
            [
                "Shiplog", "TransparencyLog", "AgeFormat", "Migrations", "CZlib", crypto, log,
                .product(name: "GRDB", package: "GRDB.swift")
            ]),
        // What an auditor is handed, and how it is checked without a ledger.
        .target(
            name: "Evidence", dependencies: ["Shiplog", "TransparencyLog", "LedgerStore", "CZlib", crypto],
            resources: [.embedInCode("verify.py")], swiftSettings: swiftSettings),
        target("Reconciling", ["Shiplog", "GitSource", "Manifests", "LedgerStore", log]),
        // Whoever outside signs or keeps the log's checkpoints.
        target("Attesting", ["Shiplog", "TransparencyLog", "LedgerStore", "KubernetesAPI", "GitSource", crypto, log]),
        // Others are told what became of syncs and rollbacks.
        target("Notifying", ["Shiplog", "LedgerStore", "Evidence", "KubernetesAPI", crypto, log]),
        target(
            "HTTPAPI",
            [
                "Shiplog", "TransparencyLog", "LedgerStore", "Evidence", "Reconciling", crypto, log, hummingbird,
                .product(name: "HummingbirdTLS", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOCertificateReloading", package: "swift-nio-extras")
            ]),
        target(
            "Sandbox",
            [
                "Shiplog", "Manifests", log, hummingbird,
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOCore", package: "swift-nio")
            ]),
        .executableTarget(
            name: "ShiplogCommand",
            dependencies: [
                "Shiplog", "TransparencyLog", "AgeFormat", "GitSource", "Manifests", "KubernetesAPI", "LedgerStore",
                "Evidence",
                "Reconciling", "Attesting", "Notifying", "HTTPAPI", "Sandbox", log,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle")
            ], swiftSettings: swiftSettings),

        // What `make bench` measures.
        .executableTarget(
            name: "Benchmark",
            dependencies: [
                "Shiplog", "TransparencyLog", "GitSource", "Manifests", "LedgerStore", "Evidence", "Reconciling",
                "ShiplogTesting", log,
                .product(name: "GRDBSQLite", package: "GRDB.swift")
            ], path: "Benchmarks/Sources", swiftSettings: swiftSettings),

        // Tests.
        .target(
            name: "ShiplogTesting", dependencies: ["Shiplog", "LedgerStore", "GitSource"],
            swiftSettings: swiftSettings),
        tests(of: "Shiplog", ["Manifests"], exclude: ["Cases"]),
        tests(of: "TransparencyLog", ["Shiplog", crypto]),
        tests(of: "AgeFormat", ["Shiplog", crypto]),
        tests(of: "GitSource", ["Shiplog", "ShiplogTesting"]),
        tests(of: "Manifests", ["Shiplog"], exclude: ["Cases"]),
        tests(of: "KubernetesAPI", ["Shiplog", "Sandbox", "Manifests"]),
        tests(of: "Sandbox", ["Shiplog", "Manifests"]),
        tests(
            of: "Attesting",
            [
                "Shiplog", "ShiplogTesting", "TransparencyLog", "LedgerStore", "KubernetesAPI", "GitSource", crypto,
                log,
                hummingbird, .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOCore", package: "swift-nio")
            ]),
        tests(
            of: "Notifying",
            [
                "Shiplog", "ShiplogTesting", "LedgerStore", "KubernetesAPI", crypto, log, hummingbird,
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOCore", package: "swift-nio")
            ]),
        tests(
            of: "HTTPAPI",
            [
                "Shiplog", "ShiplogTesting", "Reconciling", "LedgerStore", "Evidence", "GitSource", "Manifests", log,
                crypto,
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl")
            ], exclude: ["Cases"]),
        tests(
            of: "ShiplogCommand",
            ["Shiplog", "LedgerStore", .product(name: "ArgumentParser", package: "swift-argument-parser")]),
        tests(
            of: "LedgerStore", ["Shiplog", "ShiplogTesting", "TransparencyLog", "AgeFormat", "GitSource", crypto],
            exclude: ["Golden"]),
        tests(
            of: "Evidence", ["Shiplog", "ShiplogTesting", "TransparencyLog", "LedgerStore", "GitSource"],
            exclude: ["Golden"]),
        tests(
            of: "Reconciling",
            ["Shiplog", "ShiplogTesting", "GitSource", "Manifests", "LedgerStore", "KubernetesAPI", "Sandbox"])
    ]
)
