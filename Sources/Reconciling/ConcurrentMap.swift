extension Array where Element: Sendable {
    /// What becomes of each, in their order; at most `limit` of them are worked on at the same time.
    func concurrentMap<Result: Sendable>(
        atOnce limit: Int, _ work: @escaping @Sendable (Element) async -> Result
    ) async -> [Result] {
        await withTaskGroup(of: (Int, Result).self) { group in
            var results = [Result?](repeating: nil, count: count)
            var waiting = enumerated().makeIterator()
            func start() {
                guard let (index, element) = waiting.next() else { return }
                group.addTask { (index, await work(element)) }
            }
            for _ in 0..<Swift.max(1, limit) { start() }
            while let (index, result) = await group.next() {
                results[index] = result
                start()
            }
            return results.compactMap(\.self)
        }
    }
}
