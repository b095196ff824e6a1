/// A stack whose elements are moved in and out: what `Array` would retain once more on the way into a map.
struct YAMLStack<Element>: ~Copyable {
    private var storage: UnsafeMutablePointer<Element>
    private var capacity: Int
    private(set) var count = 0

    init() {
        capacity = 256
        storage = .allocate(capacity: capacity)
    }

    deinit {
        storage.deinitialize(count: count)
        storage.deallocate()
    }

    mutating func push(_ element: consuming Element) {
        if count == capacity { grow() }
        (storage + count).initialize(to: element)
        count &+= 1
    }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<Element>.allocate(capacity: capacity * 2)
        larger.moveInitialize(from: storage, count: count)
        storage.deallocate()
        storage = larger
        capacity *= 2
    }

    /// Takes the elements from `base` on off the stack, in order.
    mutating func popAll(from base: Int) -> [Element] {
        let taken = count - base
        count = base
        return Array(unsafeUninitializedCapacity: taken) { buffer, initialized in
            if let start = buffer.baseAddress, taken > 0 { start.moveInitialize(from: storage + base, count: taken) }
            initialized = taken
        }
    }

    /// Takes the elements from `base` on off the stack and hands each over, in order.
    mutating func popEach(from base: Int, _ body: (consuming Element) -> Void) {
        for index in base..<count { body((storage + index).move()) }
        count = base
    }
}

/// The names of members met so far: a manifest repeats a few dozen thousands of times, and names of more than fifteen
/// bytes would each cost an allocation. Bounded: a new name takes the place of another with the same hash.
struct YAMLNameTable {
    private var slots = [String](repeating: "", count: 256)

    mutating func name(_ text: UnsafeBufferPointer<UInt8>) -> String {
        guard text.count > 15, text.count <= 64 else { return String(decoding: text, as: UTF8.self) }
        var hash: UInt32 = 2_166_136_261
        for byte in text { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        let slot = Int((hash ^ hash >> 8) & 255)
        let isSame =
            slots[slot].utf8.count == text.count
            && slots[slot].utf8.withContiguousStorageIfAvailable { $0.elementsEqual(text) } ?? false
        if isSame { return slots[slot] }
        let name = String(decoding: text, as: UTF8.self)
        slots[slot] = name
        return name
    }
}
