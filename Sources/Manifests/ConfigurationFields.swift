/// The configuration file, field by field.
enum ConfigurationFields {
    private static func secret(_ name: String) -> Field {
        .refused("may not stand in the configuration; use \(name)File or \(name)Env", unlessEmpty: false)
    }

    static let document = Field.map([
        "listen": .string,
        "behindProxy": .bool,
        "tls": .map(["certificate": .string, "key": .string]),
        "data": .string,
        "web": .string,
        "baseURL": .string,
        "allowedHosts": .strings,
        "controller": .map([
            "interval": .duration,
            "jitter": .duration,
            "workers": .integer,
            "appParallelism": .integer,
            "leaseNamespace": .string,
            "waveDelay": .duration,
            "syncTimeout": .duration,
            "selfHealBackoff": .map(["initial": .duration, "factor": .integer, "maximum": .duration])
        ]),
        "git": .map([
            "timeout": .duration,
            "knownHosts": .string,
            "credentials": .list(
                .map([
                    "url": .string,
                    "username": .string,
                    "usernameFile": .string,
                    "usernameEnv": .string,
                    "password": secret("password"),
                    "passwordFile": .string,
                    "passwordEnv": .string,
                    "token": secret("token"),
                    "tokenFile": .string,
                    "tokenEnv": .string,
                    "sshKey": .refused("may not stand in the configuration; use sshKeyFile", unlessEmpty: false),
                    "sshKeyFile": .string
                ]))
        ]),
        "clusters": .list(
            .map([
                "name": .string, "server": .string, "kubeconfig": .string, "context": .string, "inCluster": .bool,
                "token": .refused("may not stand in the configuration; use a kubeconfig", unlessEmpty: false)
            ])),
        "webhooks": .map([
            "gitlab": .map(["secret": secret("secret"), "secretFile": .string, "secretEnv": .string]),
            "github": .map(["secret": secret("secret"), "secretFile": .string, "secretEnv": .string]),
            "maxBodyBytes": .integer
        ]),
        "logging": .map(["level": .string, "format": .string]),
        "metrics": .map(["enabled": .bool]),
        "retention": .map(["foldAfter": .duration, "entries": .string]),
        "log": .map([
            "checkpoints": .string,
            "origin": .string,
            "interval": .duration,
            "witnesses": .list(.map(["url": .string, "key": .string])),
            "anchors": .list(
                .map([
                    "name": .string,
                    "url": .string,
                    "token": secret("token"),
                    "tokenFile": .string,
                    "tokenEnv": .string,
                    "repository": .string,
                    "branch": .string,
                    "path": .string
                ]))
        ]),
        "ledger": .map(["replicated": .bool]),
        "notifications": NotificationReader.field,
        "ignoreDifferences": IgnoreRuleReader.field,
        "health": HealthRuleReader.field
    ])
}
