import Shiplog

/// What a value of the Kubernetes API looks like: enough of it to merge, to compare, to check and to explain.
///
/// One description serves server-side apply (list-map keys), strategic merge patches (merge keys), the dropping of
/// unknown fields, canonical quantities, and the OpenAPI documents.
indirect enum Shape: Sendable {
    case string, int32, int64, number, boolean, bytes
    case quantity, time, microTime, intOrString
    /// Kept as it is; its maps are merged by key.
    case any
    /// Kept as it is and merged as a whole.
    case opaque
    case map(Shape, isAtomic: Bool)
    case list(Shape, ListKind)
    /// A type of `SchemaTable`, by name: types may contain themselves.
    case named(String)
    case structure(Structure)

    /// How elements of a list are told apart when two owners share it.
    enum ListKind: Sendable, Hashable {
        /// One owner has it whole.
        case atomic
        /// Elements are their own identity.
        case set
        /// These members are an element's identity.
        case map(keys: [String])
    }

    /// The structure behind this shape, if it is one.
    var structure: Structure? {
        switch self {
        case .structure(let structure): structure
        case .named(let name): SchemaTable.shared[name]
        default: nil
        }
    }
}

/// A type with named members.
final class Structure: Sendable {
    let name: String
    let fields: [String: Field]
    /// The declared order, for documents.
    let order: [String]
    /// One owner has it whole (`x-kubernetes-map-type: atomic`).
    let isAtomic: Bool
    /// Members that are not declared are kept.
    let keepsUnknown: Bool

    init(name: String, fields: [(String, Field)], isAtomic: Bool, keepsUnknown: Bool = false) {
        self.name = name
        self.fields = Dictionary(fields, uniquingKeysWith: { $1 })
        order = fields.map(\.0)
        self.isAtomic = isAtomic
        self.keepsUnknown = keepsUnknown
    }
}

/// A member of a structure.
struct Field: Sendable {
    var shape: Shape
    var isRequired = false
    /// Go's `omitempty` on a plain value: false, 0 and "" are the same as nothing.
    var dropsZero = false
    /// The member itself has one owner, whatever its type says.
    var isAtomic = false
    /// How a strategic merge patch treats it; nil replaces.
    var patch: PatchMerge?
    var defaultValue: JSON?
    var constraints: Constraints?
    var isNullable = false
    var summary: String?
}

/// The strategic merge patch's `patchStrategy` and `patchMergeKey`.
struct PatchMerge: Sendable, Hashable {
    var merges: Bool
    var retainsKeys: Bool
    /// nil for lists of plain values.
    var key: String?
}

/// What a CustomResourceDefinition's schema may ask of a value beyond its type.
struct Constraints: Sendable, Hashable {
    var allowed: [JSON] = []
    var minimum: Double?
    var maximum: Double?
    var minLength: Int64?
    var maxLength: Int64?
    var minItems: Int64?
    var maxItems: Int64?
}
