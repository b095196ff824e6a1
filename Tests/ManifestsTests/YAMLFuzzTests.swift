import Manifests
import Shiplog
import Testing

@Suite("YAML under mutation")
struct YAMLFuzzTests {
    static let alphabet =
        Array("{}[]:,-?&*!|>'\"%@`#~<= \n\t\r0x9a_.\\u{}".utf8) + [0, 0x1B, 0x7F, 0xC3, 0xFF, 0xEF, 0xBB, 0xBF]

    @Test("thousands of damaged files are read or refused, never more; what is read can be written and read again")
    func mutations() throws {
        let folder = "Tests/ManifestsTests/Cases/yaml"
        var corpus = try names(in: folder).map { try file("\(folder)/\($0)") }
        for version in ["v1", "v2", "v3"] { corpus.append(try file("examples/guestbook/\(version)/deployment.yaml")) }
        corpus.append(try file("examples/applications/demo-app.yaml"))
        var generator = SeededGenerator(state: 2026)
        let clock = ContinuousClock()
        let start = clock.now
        var readable = 0
        var refused = 0
        for round in 0..<6000 {
            var bytes = corpus[round % corpus.count]
            for _ in 0..<Int.random(in: 1...6, using: &generator) { Self.damage(&bytes, corpus, &generator) }
            do throws(Failure) {
                let documents = try YAML.read(bytes, file: "f")
                readable += 1
                for document in documents {
                    let again = try YAML.read(Array(YAML.write(document.json).utf8), file: "again").map(\.json)
                    // A document that is null at its end is no document.
                    #expect(
                        again.first?.canonicalString == document.json.canonicalString || document.json.isNull,
                        "round \(round): \(document.json.prettyString)")
                }
            } catch {
                refused += 1
                #expect(error.code == .yamlInvalid || error.code == .yamlLimit, "round \(round): \(error)")
                #expect(error.message.hasPrefix("f:"), "round \(round): \(error)")
            }
        }
        #expect(readable > 500 && refused > 500, "\(readable) read, \(refused) refused: the mutations are one-sided")
        #expect(clock.now - start < .seconds(120))
    }

    static func damage(_ bytes: inout [UInt8], _ corpus: [[UInt8]], _ generator: inout SeededGenerator) {
        guard !bytes.isEmpty else { return bytes = Array("a: b\n".utf8) }
        let place = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<7, using: &generator) {
        case 0: bytes[place] = alphabet.randomElement(using: &generator) ?? 0
        case 1: bytes.insert(alphabet.randomElement(using: &generator) ?? 0, at: place)
        case 2: bytes.remove(at: place)
        case 3: bytes.removeSubrange(place...)
        case 4: bytes[place] = UInt8.random(in: 0...255, using: &generator)
        case 5:
            let end = min(bytes.count, place + Int.random(in: 1...40, using: &generator))
            bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0...bytes.count, using: &generator))
        default:
            let other = corpus.randomElement(using: &generator) ?? []
            bytes.insert(contentsOf: other.prefix(Int.random(in: 0...60, using: &generator)), at: place)
        }
    }
}

@Suite("Writing YAML")
struct YAMLWriteTests {
    @Test("a manifest is written as people write it")
    func layout() throws {
        let json: JSON = [
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "a", "labels": [:], "list": []],
            "data": ["script": "#!/bin/sh\necho hi\n", "port": "8080", "yes": "no", "plain": "a b", "ip": "10.0.0.1"],
            "items": [["name": "x", "ports": [1, 2]], "text", [["nested"]]]
        ]
        #expect(
            YAML.write(json) == """
                apiVersion: v1
                data:
                  ip: 10.0.0.1
                  plain: a b
                  port: "8080"
                  script: |
                    #!/bin/sh
                    echo hi
                  "yes": "no"
                items:
                - name: x
                  ports:
                  - 1
                  - 2
                - text
                - - - nested
                kind: ConfigMap
                metadata:
                  labels: {}
                  list: []
                  name: a

                """)
    }

    @Test("several documents are parted by ---")
    func documents() throws {
        #expect(try yaml(YAML.write([["a": 1], ["b": 2]])) == [["a": 1], ["b": 2]])
    }

    @Test("each string that could be read as something else is quoted")
    func quoting() throws {
        for (text, _) in YAMLReadTests.scalars {
            let json: JSON = ["v": .string(text)]
            #expect(try yaml(YAML.write(json)) == [json], "\(text)")
        }
        for text in ["2001-01-01", "12:30:45", "1:30", "+1:30", "2001-12-14T21:59:43Z"] {
            #expect(YAML.write(.string(text)) == "\"\(text)\"\n")
        }
    }

    @Test("whatever is written is read back the same")
    func roundTrip() throws {
        var generator = SeededGenerator(state: 7)
        for round in 0..<4000 {
            let value = Self.value(&generator, depth: 4)
            let text = YAML.write(value)
            let read = try yaml(text)
            #expect(
                (read.first ?? .null).canonicalString == value.canonicalString && read.count <= 1,
                "round \(round)\n\(text)\n\(value.prettyString)")
        }
    }

    static let pieces = [
        "a", "b", " ", "  ", "\n", "\n\n", "\t", "\r", ":", ": ", " #", "#", "-", "- ", "?", "? ", "'", "\"", "\\", "|",
        ">",
        "%", "@", "`", "{", "}", "[", "]", ",", "&", "*", "!", "true", "no", "null", "~", "0", "1", "0x", "1e3", ".",
        "...",
        "---", "<<", "=", "é", "漢", "😀", "\u{85}", "\u{2028}", "\u{FEFF}", "\u{0}", "\u{1B}", "\u{7F}", "\u{A0}", "x: y"
    ]

    static func string(_ generator: inout SeededGenerator) -> String {
        if Int.random(in: 0..<60, using: &generator) == 0 { return String(repeating: "long ", count: 300) }
        return (0..<Int.random(in: 0...6, using: &generator)).map { _ in pieces.randomElement(using: &generator) ?? "" }
            .joined()
    }

    static func value(_ generator: inout SeededGenerator, depth: Int) -> JSON {
        switch Int.random(in: 0..<(depth > 0 ? 9 : 6), using: &generator) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &generator))
        case 2:
            return .integer(
                Int64.random(in: .min ... .max, using: &generator) >> Int64.random(in: 0...63, using: &generator))
        case 3:
            return .number(
                Double.random(in: -1...1, using: &generator)
                    * ([1e-300, 1e-7, 1, 1e9, 1e25].randomElement(using: &generator) ?? 1))
        case 4, 5: return .string(string(&generator))
        case 6:
            return .array(
                (0..<Int.random(in: 0...4, using: &generator)).map { _ in value(&generator, depth: depth - 1) })
        default:
            var members: [String: JSON] = [:]
            for _ in 0..<Int.random(in: 0...4, using: &generator) {
                members[string(&generator)] = value(&generator, depth: depth - 1)
            }
            return .object(members)
        }
    }
}
