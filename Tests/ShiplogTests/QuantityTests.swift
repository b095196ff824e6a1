import Shiplog
import Testing

@Suite struct QuantityTests {
    @Test("quantities compare by what they are worth") func table() throws {
        let rows = try Case.table("quantity.txt")
        #expect(rows.count >= 60)
        for row in rows {
            try #require(row.count == 3, "\(row)")
            let (left, right) = (Quantity(row[0]), Quantity(row[2]))
            switch row[1] {
            case "=":
                #expect(left != nil && left == right, "\(row)")
                #expect(left?.hashValue == right?.hashValue)
            case "<":
                let (left, right) = (try #require(left, "\(row)"), try #require(right, "\(row)"))
                #expect(left < right, "\(row)")
                #expect(!(right < left), "\(row)")
            case "none": #expect(left == nil, "\(row)")
            default: Issue.record("unknown relation in \(row)")
            }
        }
    }

    @Test("bare numbers are quantities, other values are none") func json() {
        #expect(Quantity(JSON.integer(2)) == Quantity("2000m"))
        #expect(Quantity(JSON.number(0.5)) == Quantity("500m"))
        #expect(Quantity(JSON.number(1e21)) == Quantity("1e21"))
        #expect(Quantity(JSON.number(.infinity)) == nil)
        #expect(Quantity(JSON.bool(true)) == nil)
        #expect(Quantity(JSON.null) == nil)
    }
}
