import Testing
import TransparencyLog

@Suite("Tiles")
struct TileTests {
    @Test(
        "have the paths that C2SP gives them",
        arguments: [
            (Tile(level: 0, index: 1_234_067), "0/x001/x234/067"), (Tile(level: 0, index: 0), "0/000"),
            (Tile(level: 5, index: 999), "5/999"), (Tile(level: 1, index: 1000), "1/x001/000"),
            (Tile(level: 0, index: 273, width: 112), "0/273.p/112"), (Tile(level: nil, index: 7), "entries/007"),
            (Tile(level: nil, index: 123_456, width: 1), "entries/x123/456.p/1")
        ])
    func paths(tile: Tile, path: String) {
        #expect(tile.path == path)
        #expect(Tile(path: path.split(separator: "/").map(String.init)) == tile)
    }

    @Test(
        "whatever is no tile's path is refused",
        arguments: [
            "", "0", "0/", "0/0", "0/00", "0/0000", "00/000", "64/000", "-1/000", "+1/000", "0/001/002", "0/x001",
            "0/x000/001", "0/x01/001", "0/001.p", "0/001.p/0", "0/001.p/256", "0/001.p/01", "0/.p/1", "0/001.p/1/2",
            "entries", "entries/1", "tile/000", "0/x999/x999/x999/x999/x999/999", "0/x999/x999/x999/x999/999",
            "0/\u{0661}00", "x/000", "0/x001/x234/x067"
        ])
    func refused(path: String) {
        #expect(Tile(path: path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)) == nil)
    }

    @Test("are as wide as a tree of 70,000 entries makes them")
    func widths() {
        // The example of c2sp.org/tlog-tiles.
        let size: Int64 = 70_000
        #expect(Tile(level: 0, index: 272).available(in: size) == 256)
        #expect(Tile(level: 0, index: 273).available(in: size) == 112)
        #expect(Tile(level: 0, index: 274).available(in: size) == 0)
        #expect(Tile(level: 1, index: 0).available(in: size) == 256)
        #expect(Tile(level: 1, index: 1).available(in: size) == 17)
        #expect(Tile(level: 2, index: 0).available(in: size) == 1)
        #expect(Tile(level: 3, index: 0).available(in: size) == 0)
        #expect(Tile(level: 63, index: 0).available(in: .max) == 0)
        let tiles = Tile.entries(from: 300, size: size)
        #expect(tiles.first == Tile(level: nil, index: 1))
        #expect(tiles.last == Tile(level: nil, index: 273, width: 112))
        #expect(tiles.count == 273)
        #expect(Tile.entries(from: 5, size: 5).isEmpty)
    }

    @Test("of entries read back what was put in, and end nowhere else")
    func bundles() {
        var bundle: [UInt8] = []
        let entries: [[UInt8]] = [[], [1], Array(repeating: 7, count: 65_535), [2, 3]]
        for entry in entries {
            let fits = EntryBundle.append(entry, to: &bundle)
            #expect(fits)
        }
        let before = bundle
        let fits = EntryBundle.append([UInt8](repeating: 0, count: 65_536), to: &bundle)
        #expect(!fits)
        #expect(bundle == before)
        #expect(EntryBundle.entries(of: bundle)?.map { Array($0) } == entries)
        for cut in [1, 3, bundle.count - 1] { #expect(EntryBundle.entries(of: Array(bundle.prefix(cut))) == nil) }
        #expect(EntryBundle.entries(of: [])?.isEmpty == true)
    }
}
