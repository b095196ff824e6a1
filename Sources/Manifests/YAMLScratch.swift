import Glibc

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

/// Texts met so far: a manifest repeats a few dozen names thousands of times, and making a `String` of bytes, with the
/// check that they are UTF-8 and perhaps an allocation, costs more than finding it again. Bounded: a new text takes the
/// place of another with the same hash.
struct YAMLTextTable: ~Copyable {
    private struct Slot {
        // The first and the last eight bytes, or what there is, and the length: up to sixteen bytes they are the text.
        var head: UInt64
        var tail: UInt64
        var count: Int
        var text: String
    }

    private static let size = 256
    private let slots: UnsafeMutablePointer<Slot>

    init() {
        slots = .allocate(capacity: Self.size)
        slots.initialize(repeating: Slot(head: 0, tail: 0, count: 0, text: ""), count: Self.size)
    }

    deinit {
        slots.deinitialize(count: Self.size)
        slots.deallocate()
    }

    mutating func text(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
        let count = bytes.count
        guard count > 0, count <= 64 else { return String(decoding: bytes, as: UTF8.self) }
        let raw = UnsafeRawBufferPointer(bytes)
        let head: UInt64
        var tail: UInt64 = 0
        if count >= 8 {
            head = raw.loadUnaligned(fromByteOffset: 0, as: UInt64.self)
            tail = raw.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
        } else if count >= 4 {
            head = UInt64(raw.loadUnaligned(fromByteOffset: 0, as: UInt32.self))
            tail = UInt64(raw.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self))
        } else {
            head = UInt64(raw[0]) | UInt64(raw[count >> 1]) << 8 | UInt64(raw[count &- 1]) << 16
        }
        let mixed =
            (head ^ (tail &* 0x9E37_79B9_7F4A_7C15) ^ UInt64(truncatingIfNeeded: count)) &* 0xD6E8_FEB8_6659_FD93
        let slot = slots + Int(truncatingIfNeeded: mixed >> 56)
        if slot.pointee.count == count, slot.pointee.head == head, slot.pointee.tail == tail,
            count <= 16 || Self.holds(slot.pointee.text, bytes)
        {
            return slot.pointee.text
        }
        let text = String(decoding: bytes, as: UTF8.self)
        slot.pointee = Slot(head: head, tail: tail, count: count, text: text)
        return text
    }

    private static func holds(_ text: String, _ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        text.utf8.withContiguousStorageIfAvailable { own in
            guard let left = own.baseAddress, let right = bytes.baseAddress else { return false }
            return memcmp(left, right, bytes.count) == 0
        } ?? false
    }
}
