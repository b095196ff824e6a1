import Foundation
import HTTPAPI
import Shiplog
import ShiplogTesting
import Testing

/// Runs `Cases/*.http`: requests and what is expected of the answers, in the order a newcomer would send them.
///
///     ### A title
///     POST {{api}}/tokens                  method and address; {{names}} are filled in
///     Authorization: Bearer {{admin}}      headers
///
///     {"name": "ann", "role": "viewer"}    a body, perhaps; JSON unless a Content-Type says something else
///
///     => 201                               the expected status
///     Location: {{api}}/tokens/{{id}}      expected headers
///
///     {"token": {"id": "{{id}}"}}          expected members; there may be more. Text may stand instead of JSON
///
/// In what is expected, `"…"` stands for anything, `"…"` as an array's last element for further elements, and a name not
/// seen before takes the value it finds. `$ commit TEXT` before a request commits that greeting. `=> 200 in the end` asks
/// again until the answer is as expected.
@Suite("The tutorial") struct CaseTests {
    private static let directory =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Cases").path

    static let files: [String] =
        ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).filter { $0.hasSuffix(".http") }
        .sorted()

    @Test("there are cases") func thereAreCases() { #expect(Self.files.count >= 4) }

    @Test("every answer is as the file says", arguments: files) func run(file: String) async throws {
        let text = try String(contentsOfFile: Self.directory + "/" + file, encoding: .utf8)
        let steps = try Step.read(text)
        try #require(!steps.isEmpty)
        try await Site.run(settings: { $0.webhooks.gitlabSecret = SecretText("the-shared-secret") }) { site in
            var names: [String: JSON] = [
                "api": .string(Site.api), "admin": .string(site.admin), "repository": .string(site.repository)
            ]
            for step in steps {
                for greeting in step.commits { names["commit"] = .string(try site.commit(greeting)) }
                let deadline = ContinuousClock.now + .seconds(20)
                var complaints: [String] = []
                repeat {
                    var learnt = names
                    complaints = try await step.run(site.client, &learnt)
                    if complaints.isEmpty { names = learnt }
                } while !complaints.isEmpty && step.isPatient && ContinuousClock.now < deadline
                #expect(complaints.isEmpty, "\(file): \(step.title)\n\(complaints.joined(separator: "\n"))")
                if !complaints.isEmpty { return }
            }
        }
    }
}

/// One request and what is expected of its answer.
struct Step: Sendable {
    var title = ""
    var commits: [String] = []
    var request: [String] = []
    var body = ""
    var status = 0
    /// Asked again until the answer is as expected.
    var isPatient = false
    var headers: [String] = []
    var expected = ""

    struct Unreadable: Error { let text: String }

    static func read(_ text: String) throws -> [Step] {
        var steps: [Step] = []
        for block in ("\n" + text).components(separatedBy: "\n### ").dropFirst() {
            var step = Step()
            let halves = block.components(separatedBy: "\n=> ")
            guard halves.count == 2 else { throw Unreadable(text: block) }
            var lines = halves[0].components(separatedBy: "\n")
            step.title = lines.removeFirst()
            while let line = lines.first, line.isEmpty || line.hasPrefix("#") || line.hasPrefix("$ ") {
                if line.hasPrefix("$ commit ") { step.commits.append(String(line.dropFirst(9))) }
                lines.removeFirst()
            }
            (step.request, step.body) = split(lines)
            var answer = halves[1].components(separatedBy: "\n")
            let verdict = answer.removeFirst()
            step.status = Int(verdict.prefix { $0.isNumber }) ?? 0
            step.isPatient = verdict.hasSuffix(" in the end")
            (step.headers, step.expected) = split(answer)
            steps.append(step)
        }
        return steps
    }

    /// A head's lines, and the text after the empty line.
    private static func split(_ lines: [String]) -> ([String], String) {
        let end = lines.firstIndex(of: "") ?? lines.count
        let rest = lines[min(end + 1, lines.count)...].filter { !$0.hasPrefix("#") }.joined(separator: "\n")
        return (Array(lines[..<end]), rest.trimmingCharacters(in: .newlines))
    }

    func run(_ client: Client, _ names: inout [String: JSON]) async throws -> [String] {
        let words = (request.first ?? "").split(separator: " ").map { Self.fill(String($0), names) }
        guard words.count == 2 else { return ["no request"] }
        var fields: [String: String] = [:]
        for line in request.dropFirst() {
            let halves = line.components(separatedBy: ": ")
            fields[halves[0]] = Self.fill(halves.dropFirst().joined(separator: ": "), names, keepsQuotes: true)
        }
        let bytes = body.isEmpty ? nil : Array(Self.fill(body, names).utf8)
        if bytes != nil, fields["Content-Type"] == nil { fields["Content-Type"] = "application/json" }
        let answer = try await client.send(words[0], words[1], fields, body: bytes)
        var complaints: [String] = []
        if answer.status != status { complaints.append("status \(answer.status), not \(status)") }
        for line in headers {
            let halves = line.components(separatedBy: ": ")
            let value = Self.fill(halves.dropFirst().joined(separator: ": "), names, keepsQuotes: true)
            if answer.header(halves[0]) != value {
                complaints.append("\(halves[0]) is \(answer.header(halves[0]) ?? "missing"), not \(value)")
            }
        }
        if let wanted = try? JSON(parsing: Array(expected.utf8)) {
            Self.compare(answer.json, wanted, at: "", &names, &complaints)
        } else if !expected.isEmpty, !answer.text.contains(expected) {
            complaints.append("the body does not say “\(expected)”")
        }
        if !complaints.isEmpty { complaints.append(answer.text) }
        return complaints
    }

    /// - Parameter keepsQuotes: false makes a number of `"{{name}}"` when the name stands for one.
    private static func fill(_ text: String, _ names: [String: JSON], keepsQuotes: Bool = false) -> String {
        names.reduce(text) { text, name in
            let plain = name.value.string ?? name.value.canonicalString
            let json =
                keepsQuotes
                ? text : text.replacingOccurrences(of: "\"{{\(name.key)}}\"", with: name.value.canonicalString)
            return json.replacingOccurrences(of: "{{\(name.key)}}", with: plain)
        }
    }

    private static func compare(
        _ found: JSON?, _ wanted: JSON, at place: String, _ names: inout [String: JSON], _ complaints: inout [String]
    ) {
        switch wanted {
        case "…":
            if found == nil { complaints.append("\(place) is missing") }
        case .string(let text) where text.hasPrefix("{{") && text.hasSuffix("}}"):
            let name = String(text.dropFirst(2).dropLast(2))
            if let known = names[name] {
                if found != known { complaints.append("\(place) is \(show(found)), not \(show(known))") }
            } else {
                names[name] = found
            }
        case .string(let text):
            let filled = JSON.string(fill(text, names, keepsQuotes: true))
            if found != filled { complaints.append("\(place) is \(show(found)), not \(show(filled))") }
        case .object(let members):
            for (name, value) in members.sorted(by: { $0.key < $1.key }) {
                compare(found?[name], value, at: place + "/" + name, &names, &complaints)
            }
        case .array(let elements):
            let items = found?.array ?? []
            let isOpen = elements.last == "…"
            let wantedItems = isOpen ? elements.dropLast() : elements[...]
            if isOpen ? items.count < wantedItems.count : items.count != wantedItems.count {
                complaints.append("\(place) has \(items.count) elements, not \(wantedItems.count)")
                return
            }
            for (index, value) in wantedItems.enumerated() {
                compare(items[index], value, at: "\(place)/\(index)", &names, &complaints)
            }
        default:
            if found != wanted { complaints.append("\(place) is \(show(found)), not \(show(wanted))") }
        }
    }

    private static func show(_ value: JSON?) -> String { value?.canonicalString ?? "missing" }
}
