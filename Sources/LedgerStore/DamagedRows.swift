import GRDB
import Shiplog

extension Row {
    /// What a column holds. GRDB's own subscripts end the process where a file that was damaged holds NULL, or a value of
    /// another type than the schema allows; this throws.
    func held<Value: DatabaseValueConvertible & StatementColumnConvertible>(_ index: Int) throws -> Value {
        do {
            return try decode(Value.self, atIndex: index)
        } catch {
            throw Failure.corrupt("a row holds what its column does not allow")
        }
    }

    /// The same by the column's name.
    func held<Value: DatabaseValueConvertible & StatementColumnConvertible>(_ column: String) throws -> Value {
        do {
            return try decode(Value.self, forColumn: column)
        } catch {
            throw Failure.corrupt("a row holds in its column \(column) what that does not allow")
        }
    }

    /// An integer that must be there, for loops over every row: the generic way looks up types each time.
    func heldInteger(_ index: Int) throws -> Int64 {
        let value: DatabaseValue = self[index]
        guard case .int64(let number) = value.storage else {
            throw Failure.corrupt("a row holds what its column does not allow")
        }
        return number
    }
}
