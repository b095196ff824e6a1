import Foundation
import Shiplog

extension JSON {
    /// An integer that is written as one. `1.0` is none: other readers take it for something else.
    var whole: Int64? {
        if case .integer(let value) = self { value } else { nil }
    }
}

extension String {
    /// What the base64 says; nil where another text would say the same.
    var strictBase64: Data? {
        guard let data = Data(base64Encoded: self), data.base64EncodedString() == self else { return nil }
        return data
    }
}
