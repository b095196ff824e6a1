// Command independent knows Shiplog's log from its published formats alone: it verifies a server's log and stands as a
// witness to it, with the tree and the notes of golang.org/x/mod/sumdb instead of Shiplog's own.
//
//	independent verify -url URL -key FILE -token FILE [-from FILE] [-save FILE]
//	independent witness -log VKEY -key SEED -state FILE [-listen ADDRESS]
package main

import (
	"fmt"
	"os"
)

func main() {
	var err error
	switch {
	case len(os.Args) > 1 && os.Args[1] == "verify":
		err = verify(os.Args[2:])
	case len(os.Args) > 1 && os.Args[1] == "witness":
		err = witness(os.Args[2:])
	default:
		err = fmt.Errorf("usage: independent verify|witness")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "independent:", err)
		os.Exit(1)
	}
}
