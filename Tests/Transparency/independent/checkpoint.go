package main

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// checkpoint is what https://c2sp.org/tlog-checkpoint writes into a note.
type checkpoint struct {
	origin string
	tlog.Tree
}

func openCheckpoint(text []byte, keys ...note.Verifier) (checkpoint, *note.Note, error) {
	opened, err := note.Open(text, note.VerifierList(keys...))
	if err != nil {
		return checkpoint{}, nil, err
	}
	found, err := parseCheckpoint(opened.Text)
	return found, opened, err
}

func parseCheckpoint(text string) (checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || lines[0] == "" {
		return checkpoint{}, fmt.Errorf("a checkpoint has three lines")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return checkpoint{}, fmt.Errorf("%q is no size", lines[1])
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return checkpoint{}, err
	}
	return checkpoint{lines[0], tlog.Tree{N: size, Hash: root}}, nil
}
