import AgeFormat
import ArgumentParser
import Foundation
import LedgerStore
import Shiplog
import TransparencyLog

/// `shiplog ledger backup`.
struct LedgerBackupCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Write the ledger, its keys and the tokens' files into one encrypted file, beside a running server.",
        discussion: """
            Examples:
              shiplog ledger backup -O shiplog.age --recipient age1…
              shiplog ledger backup -O shiplog.age --passphrase-file passphrase --data /var/lib/shiplog
              shiplog ledger backup -O - --recipient age1… | ssh backup 'cat > shiplog.age'

            The file is in the format of age (https://age-encryption.org): `age-keygen` makes recipients, and
            `age -d -i key.txt shiplog.age | tar -t` shows what is in it. Keep what opens it somewhere else: whoever has both
            can read every Secret. Mirrors of Git repositories are left out, for they are fetched again.
            """)

    @Option(
        name: [.customShort("O"), .long],
        help: ArgumentHelp(
            "Where to write it: a file that does not exist yet, or - for standard output.", valueName: "file"),
        completion: .file())
    var outputFile: String

    @Option(
        help: ArgumentHelp("Encrypt to this recipient of age (age1…); give it again for more.", valueName: "recipient"))
    var recipient: [String] = []

    @Option(
        help: ArgumentHelp("Encrypt with the passphrase in this file; - is standard input.", valueName: "file"),
        completion: .file())
    var passphraseFile: String?

    @Option(
        help: ArgumentHelp(
            "A directory with room for a copy of the ledger, removed again. (default: where the backup goes)",
            valueName: "dir"), completion: .directory)
    var scratch: String?

    @OptionGroup var data: DataOption
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard recipient.isEmpty != (passphraseFile == nil) else {
            throw ValidationError("name either recipients with --recipient or a passphrase with --passphrase-file")
        }
    }

    func run() async throws {
        let directory = try data.directory()
        var recipients: [AgeRecipient] = []
        for text in recipient { recipients.append(.key(try AgePublicKey(text))) }
        if let passphraseFile { recipients = [.passphrase(try Passphrase.read(passphraseFile))] }
        let toOutput = outputFile == "-"
        Leftovers.goWithSignals()
        let folder = toOutput ? NSTemporaryDirectory() : (outputFile as NSString).deletingLastPathComponent
        let file = try NewFile(toOutput ? nil : outputFile)
        let backup: Backup
        do throws(Failure) {
            backup = try await Ledger.backUp(
                directory, to: recipients, scratch: scratch ?? (folder.isEmpty ? "." : folder), now: Moment.now,
                write: { (bytes) throws(Failure) in try file.write(bytes) })
            try file.finish()
        } catch {
            file.discard()
            throw error
        }
        if toOutput { return }
        output.out.show(Self.document(backup, outputFile, file.count)) {
            "\(backup.treeHead.size) rows of ledger \(backup.ledger) are in \(outputFile), "
                + "\(LedgerStatsCommand.size(Double(file.count)))\ntree head: \(backup.treeHead)\n"
        }
    }

    static func document(_ backup: Backup, _ file: String, _ bytes: Int64) -> JSON {
        [
            "file": .string(file), "bytes": .integer(bytes), "ledger": .string(backup.ledger),
            "rows": .integer(backup.treeHead.size), "treeHead": .string(backup.treeHead.description),
            "createdAt": .string(backup.createdAt.description)
        ]
    }
}

/// `shiplog ledger restore`.
struct LedgerRestoreCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Make a data directory of a backup, once the whole of it has been checked.",
        discussion: """
            Examples:
              shiplog ledger restore shiplog.age --data /var/lib/shiplog --identity-file key.txt
              shiplog ledger restore shiplog.age --data /var/lib/shiplog --passphrase-file passphrase

            The directory must be empty or not exist. It is made beside its place, every row is checked, and then it is put
            there; of a backup that is damaged nothing is left. Exit 8 when it is damaged.
            """)

    @Argument(help: ArgumentHelp("The backup; - is standard input.", valueName: "backup"), completion: .file())
    var backup: String

    @Option(
        help: ArgumentHelp("The identities of age that may open it, as age-keygen writes them.", valueName: "file"),
        completion: .file())
    var identityFile: String?

    @Option(
        help: ArgumentHelp("The passphrase is in this file; - is standard input.", valueName: "file"),
        completion: .file())
    var passphraseFile: String?

    @Option(help: ArgumentHelp("The data directory to make.", valueName: "dir"), completion: .directory)
    var data: String

    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (identityFile == nil) != (passphraseFile == nil) else {
            throw ValidationError("name either an identity with --identity-file or a passphrase with --passphrase-file")
        }
        if backup == "-", passphraseFile == "-" {
            throw ValidationError("the backup and its passphrase cannot both be standard input")
        }
    }

    func run() async throws {
        let identity: AgeIdentity
        if let identityFile {
            identity = try .file(String(decoding: try Places.read(identityFile), as: UTF8.self))
        } else {
            identity = .passphrase(try Passphrase.read(passphraseFile ?? ""))
        }
        let source: FileHandle
        do {
            source =
                backup == "-" ? .standardInput : try FileHandle(forReadingFrom: URL(fileURLWithPath: backup))
        } catch {
            throw Failure(
                "file.unreadable", "\(backup) cannot be read", remedy: "check that it is there and who may read it")
        }
        Leftovers.goWithSignals()
        let progress = ProgressLine(isOn: Talk.isTerminal && output.out.format == .table)
        let restored: Backup
        do throws(Failure) {
            (restored, _) = try await Ledger.restore(
                to: data, identity: identity, read: { () throws(Failure) in try Self.next(of: source, backup) },
                progress: { progress.show($0) })
        } catch {
            progress.clear()
            throw error.code == "ledger.corrupt" ? CommandError(.integrity, error) : CommandError(.of(error), error)
        }
        progress.clear()
        output.out.show(Self.document(restored, data)) {
            "\(restored.treeHead.size) rows of ledger \(restored.ledger) are in \(data), as they were at "
                + "\(restored.createdAt)\ntree head: \(restored.treeHead)\n"
        }
    }

    private static func next(of source: FileHandle, _ name: String) throws(Failure) -> [UInt8]? {
        do {
            return try source.read(upToCount: 256 << 10).flatMap { $0.isEmpty ? nil : Array($0) }
        } catch {
            throw Failure("file.unreadable", "\(name) cannot be read to its end", remedy: "check the disk it is on")
        }
    }

    static func document(_ backup: Backup, _ directory: String) -> JSON {
        [
            "data": .string(directory), "ledger": .string(backup.ledger), "rows": .integer(backup.treeHead.size),
            "treeHead": .string(backup.treeHead.description), "createdAt": .string(backup.createdAt.description)
        ]
    }
}

/// A passphrase is in a file: on a command line whoever lists processes would read it.
enum Passphrase {
    static func read(_ path: String) throws(Failure) -> AgePassphrase {
        var bytes = try Places.input(path)
        while bytes.last == 10 || bytes.last == 13 { bytes.removeLast() }
        return try AgePassphrase(SecretText(String(decoding: bytes, as: UTF8.self)))
    }
}
