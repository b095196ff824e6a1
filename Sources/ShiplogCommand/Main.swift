import ArgumentParser
import HTTPAPI
import LedgerStore
import Hummingbird
import HummingbirdTLS

import NIOCertificateReloading
import ServiceLifecycle

@main
struct Main: ParsableCommand { func run() { print("x") } }
