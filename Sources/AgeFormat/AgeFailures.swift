public import Shiplog

extension Failure.Code {
    /// Not what was encrypted: cut short, changed, or no age file at all.
    public static let ageDamaged: Self = "age.damaged"
    /// A passphrase or an identity that this file was not encrypted to.
    public static let ageNoMatch: Self = "age.no-match"
    public static let ageRecipientInvalid: Self = "age.recipient-invalid"
    public static let ageIdentityInvalid: Self = "age.identity-invalid"
    public static let agePassphraseInvalid: Self = "age.passphrase-invalid"
    /// A part of the format that is not read here.
    public static let ageUnsupported: Self = "age.unsupported"
}

extension Failure {
    static func ageDamaged(_ what: String) -> Failure {
        Failure(.ageDamaged, "the encrypted file is damaged: \(what)", remedy: "use another copy of it")
    }
}
