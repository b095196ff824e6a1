import Shiplog
import Testing

@testable import ShiplogCommand

@Suite("What is printed")
struct TextTests {
    private let out = Output(format: .table, headers: true, color: false)

    @Test("columns line up, wide characters and marks counted as a terminal shows them, and no line ends in blanks")
    func table() {
        let table = Table(
            columns: ["NAME", "STATE", "NOTE"],
            rows: [
                [Cell("web"), .status("Synced"), Cell("")], [Cell("数据"), .status("OutOfSync"), Cell("e\u{301}t")]
            ])
        #expect(
            table.text() == """
                NAME   STATE       NOTE
                web    Synced
                数据   OutOfSync   e\u{301}t

                """)
        #expect(table.text(headers: false, color: true).contains("\u{1B}[32mSynced\u{1B}[0m"))
    }

    @Test("a commit's subject cannot move the cursor or turn the line around")
    func untrusted() {
        #expect(Cell("a\u{1B}[2Jb\u{202E}c\n").text == "a\\u{1b}[2Jb\\u{202e}c\\u{a}")
        let error = CommandError(.trouble, "x.y", "bad \u{1B}]0;title\u{07}", remedy: "do")
        #expect(error.text == "shiplog: error: bad \\u{1b}]0;title\\u{7} [x.y]\nhint: do\n")
    }

    @Test("differences are unified diffs; a new object comes from /dev/null")
    func diff() {
        let items: [JSON] = [
            [
                "group": "apps", "kind": "Deployment", "namespace": "shop", "name": "web", "change": "changed",
                "hunks": [
                    [
                        "oldStart": 1, "oldLines": 2, "newStart": 1, "newLines": 2,
                        "lines": [
                            ["kind": "context", "text": "spec:"], ["kind": "removed", "text": "  replicas: 1"],
                            ["kind": "added", "text": "  replicas: 3"]
                        ]
                    ]
                ]
            ],
            ["group": "", "kind": "ConfigMap", "namespace": "shop", "name": "new", "change": "added", "hunks": []],
            ["group": "", "kind": "Service", "namespace": "shop", "name": "same", "change": "same", "hunks": []]
        ]
        #expect(
            DiffText.text(items, old: "live", new: "desired", out) == """
                --- live/apps/Deployment/shop/web
                +++ desired/apps/Deployment/shop/web
                @@ -1,2 +1,2 @@
                 spec:
                -  replicas: 1
                +  replicas: 3
                --- /dev/null
                +++ desired/ConfigMap/shop/new
                # only masked values differ

                """)
        #expect(DiffText.isDifferent(items))
        #expect(!DiffText.isDifferent([items[2]]))
    }

    @Test("a plan says its notes, changes, secrets and what stands in its way, with the remedy")
    func plan() throws {
        let plan: JSON = [
            "notes": ["two digests of that commit"], "warnings": [], "diff": [],
            "secrets": [["kind": "Secret", "namespace": "shop", "name": "db"]],
            "changes": [
                [
                    "kind": "ConfigMap", "namespace": "shop", "name": "c", "action": "update",
                    "message": "data.A differs"
                ],
                ["kind": "Service", "namespace": "shop", "name": "s", "action": "unchanged"],
                [
                    "kind": "Job", "namespace": "shop", "name": "j", "action": "cannot", "message": "it is immutable",
                    "code": "plan.immutable", "hint": "--replace"
                ]
            ]
        ]
        #expect(
            PlanPrinting.text(plan, isRollback: true, out) == """
                note: two digests of that commit

                ACTION   RESOURCE           MESSAGE
                update   ConfigMap shop/c   data.A differs
                cannot   Job shop/j         it is immutable

                1 unchanged

                Secrets whose values would go back (--keep-secrets leaves them):
                  Secret shop/db

                It cannot be carried out:
                  Job shop/j: it is immutable [plan.immutable]
                    hint: --replace

                """)
        let refusal = try #require(PlanPrinting.refusal(plan, "the rollback"))
        #expect(refusal.ending == .refused)
        #expect(refusal.failure.remedy == "--replace")
        #expect(PlanPrinting.refusal(["changes": []], "the sync") == nil)
        #expect(PlanPrinting.text(["changes": []], isRollback: false, out) == "nothing to do\n")
    }

    @Test("a rollback's row names where it went back to and why")
    func revisionRow() {
        let revision: JSON = [
            "sequence": 30, "recordedAt": "2026-11-24T04:53:03.812Z", "application": ["name": "guestbook"],
            "kind": "rollback", "rolledBackTo": 6, "cause": "manual", "actor": ["name": "ada"],
            "outcome": "succeeded", "reason": "try it",
            "source": ["commit": ["id": "f8c822a39c19ae4e5119ea696cb216831e18e60b", "subject": "Open"]]
        ]
        #expect(
            RevisionText.row(revision).map(\.text) == [
                "#30", "2026-11-24T04:53:03Z", "guestbook", "rollback to #6", "manual", "ada", "succeeded", "f8c822a",
                "try it — Open"
            ])
        #expect(RevisionText.summary(revision) == "#30  rollback to #6  succeeded  f8c822a\n")
    }

    @Test("colours are off in pipes, by NO_COLOR and by a dumb terminal, and on when forced")
    func colors() {
        #expect(OutputOptions.colors(.always, ["NO_COLOR": "1"]))
        #expect(!OutputOptions.colors(.never, ["CLICOLOR_FORCE": "1"]))
        #expect(!OutputOptions.colors(.auto, ["NO_COLOR": "1", "CLICOLOR_FORCE": "1"]))
        #expect(OutputOptions.colors(.auto, ["CLICOLOR_FORCE": "1"]))
        #expect(!OutputOptions.colors(.auto, ["TERM": "dumb"]))
    }
}
