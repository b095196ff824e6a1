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

func target(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

func tests(of name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(
        name: name + "Tests", dependencies: [.target(name: name)] + dependencies,
        exclude: name == "Shiplog" || name == "Manifests" ? ["Cases"] : [], swiftSettings: swiftSettings)
}

let package = Package(
    name: "shiplog",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2")
    ],
    targets: [
        // The words and the pure decisions.
        target("Shiplog", []),

        // System libraries.
        .systemLibrary(name: "CLibgit2", pkgConfig: "libgit2", providers: [.apt(["libgit2-dev"])]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),

        // One technology each.
        target("GitSource", ["Shiplog", "CLibgit2", log]),
        target("Manifests", ["Shiplog", "CYAML", crypto, log]),
        target("KubernetesAPI", ["Shiplog", "Manifests", "CCurl", log]),
        // Tests.
        tests(of: "Shiplog", []),
        tests(of: "GitSource", ["Shiplog"]),
        tests(of: "Manifests", ["Shiplog"])
    ]
)
