import Foundation
import Testing

/// The house's rules that a compiler does not check: who may import what, and how long a file may grow.
@Suite("The house")
struct HouseTests {
    /// docs/architecture.md, "Targets": each target's own modules and the one technology it fences.
    static let table: [String: Set<String>] = [
        "Shiplog": [],
        "GitSource": ["Shiplog", "CLibgit2"],
        "Manifests": ["Shiplog", "CYAML", "Crypto"],
        "KubernetesAPI": ["Shiplog", "Manifests", "CCurl"],
        "TransparencyLog": ["Shiplog", "Crypto"],
        "AgeFormat": ["Shiplog", "Crypto", "CryptoExtras"],
        "LedgerStore": ["Shiplog", "TransparencyLog", "AgeFormat", "Migrations", "GRDB", "Crypto", "CZlib"],
        "Evidence": ["Shiplog", "TransparencyLog", "LedgerStore", "Crypto", "CZlib"],
        "Reconciling": ["Shiplog", "GitSource", "Manifests", "LedgerStore"],
        "Attesting": ["Shiplog", "TransparencyLog", "LedgerStore", "KubernetesAPI", "GitSource", "Crypto"],
        "Notifying": ["Shiplog", "LedgerStore", "Evidence", "KubernetesAPI", "Crypto"],
        "HTTPAPI": [
            "Shiplog", "TransparencyLog", "LedgerStore", "Evidence", "Reconciling", "Crypto", "Hummingbird",
            "HummingbirdTLS", "HummingbirdCore",
            "HTTPTypes", "NIOCore", "NIOSSL", "NIOCertificateReloading", "NIOPosix", "ServiceLifecycle"
        ],
        "Sandbox": ["Shiplog", "Manifests", "Hummingbird", "HummingbirdCore", "HTTPTypes", "NIOCore"],
        "ShiplogCommand": [
            "Shiplog", "TransparencyLog", "AgeFormat", "GitSource", "Manifests", "KubernetesAPI", "LedgerStore",
            "Evidence",
            "Reconciling", "Attesting", "Notifying", "HTTPAPI", "Sandbox", "ArgumentParser", "ServiceLifecycle",
            "UnixSignals"
        ],
        "ShiplogTesting": ["Shiplog", "GitSource", "LedgerStore"]
    ]

    /// What comes with the language and the system. Core `Shiplog` may not even have these.
    static let system: Set<String> = [
        "Foundation", "FoundationEssentials", "Glibc", "Dispatch", "Synchronization", "Logging", "Darwin", "Musl"
    ]

    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    static func swiftFiles(below folder: String) throws -> [URL] {
        let files = FileManager.default.enumerator(
            at: root.appendingPathComponent(folder), includingPropertiesForKeys: nil)
        return (files?.allObjects as? [URL] ?? []).filter { $0.pathExtension == "swift" }
    }

    @Test("every import stands in the table of docs/architecture.md", arguments: table.keys.sorted())
    func imports(of target: String) throws {
        let allowed = (Self.table[target] ?? []).union(target == "Shiplog" ? [] : Self.system)
        let files = try Self.swiftFiles(below: "Sources/" + target)
        #expect(!files.isEmpty, "no sources of \(target) were found")
        for file in files {
            for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
                let words = line.split(separator: " ").map(String.init)
                guard let index = words.firstIndex(of: "import"), index + 1 < words.count,
                    words[..<index].allSatisfy({
                        $0 == "public" || $0 == "package" || $0 == "internal" || $0 == "@preconcurrency"
                    })
                else { continue }
                // `import struct Module.Type` names the module second.
                let kinds: Set<String> = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
                let name =
                    kinds.contains(words[index + 1]) && index + 2 < words.count ? words[index + 2] : words[index + 1]
                let module = String(name.prefix { $0 != "." })
                #expect(allowed.contains(module), "\(file.lastPathComponent) of \(target) imports \(module)")
            }
        }
    }

    @Test("every decision that a source cites is there to be read")
    func decisionsExist() throws {
        for file in try Self.swiftFiles(below: "Sources") {
            let text = try String(contentsOf: file, encoding: .utf8)
            for match in text.matches(of: #/docs/decisions/[0-9]{4}-[a-z0-9-]+\.md/#) {
                let path = Self.root.path + "/" + match.output
                #expect(FileManager.default.fileExists(atPath: path), "\(file.lastPathComponent) cites \(match.output)")
            }
        }
    }

    @Test("every folder of Sources is in the table, or a system library")
    func foldersAreKnown() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: Self.root.path + "/Sources")
        for folder in folders where !folder.hasPrefix("C") {
            #expect(Self.table[folder] != nil, "Sources/\(folder) is not in the table")
        }
    }

    @Test(
        "no file is longer than 600 lines",
        arguments: table.keys.sorted().flatMap { ["Sources/" + $0, "Tests/" + $0 + "Tests"] })
    func length(of folder: String) throws {
        for file in try Self.swiftFiles(below: folder) {
            let lines = try String(contentsOf: file, encoding: .utf8).split(
                separator: "\n", omittingEmptySubsequences: false)
            #expect(lines.count <= 600, "\(file.lastPathComponent) has \(lines.count) lines: split it")
        }
    }

    @Test("nothing traps on purpose in what input can reach")
    func traps() throws {
        // Each with what may not stand before it: a schema's `replicas!` is no cast.
        let banned = ["try! ", "as! ", "fatalError(", "preconditionFailure(", "unsafeBitCast("]
        for file in try Self.table.keys.flatMap({ try Self.swiftFiles(below: "Sources/" + $0) }) {
            for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
                let code = line.drop { $0 == " " }
                guard !code.hasPrefix("//") else { continue }
                for word in banned {
                    let isThere = code.ranges(of: word).contains { range in
                        range.lowerBound == code.startIndex || !code[code.index(before: range.lowerBound)].isLetter
                    }
                    #expect(!isThere, "\(file.lastPathComponent): \(code)")
                }
            }
        }
    }

    /// GRDB's `row["column"]` ends the process where a damaged file holds NULL; `row.held("column")` throws.
    @Test("no column of a row is read by a subscript")
    func subscripts() throws {
        for file in try Self.swiftFiles(below: "Sources/LedgerStore") + Self.swiftFiles(below: "Sources/Evidence") {
            let text = try String(contentsOf: file, encoding: .utf8)
            // A row is known by its name, or by where the file got it from; JSON has such subscripts too.
            var names: Set<Substring> = ["row", "rows"]
            for match in text.matches(of: #/(\w+)\s*=\s*try (?:Row\.fetch|transaction\.row\()/#) {
                names.insert(match.output.1)
            }
            for match in text.matches(of: #/for (\w+) in try Row\.fetch/#) { names.insert(match.output.1) }
            for line in text.split(separator: "\n") {
                for match in line.matches(of: #/(\w+)\??\[(?:"|[0-9])/#) {
                    #expect(!names.contains(match.output.1), "\(file.lastPathComponent): \(line)")
                }
                #expect(!line.contains(#/\$0\["\w+"\] as |\$0\[[0-9]\]/#), "\(file.lastPathComponent): \(line)")
            }
        }
    }
}
