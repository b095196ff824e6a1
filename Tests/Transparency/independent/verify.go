package main

import (
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

// server reads a log over HTTP, as https://c2sp.org/tlog-tiles lays it out.
type server struct {
	url, token string
	client     http.Client
}

func (s *server) get(path string) ([]byte, error) {
	request, err := http.NewRequest("GET", s.url+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+s.token)
	answer, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 64<<20))
	if err == nil && answer.StatusCode != 200 {
		err = fmt.Errorf("%s: %s", path, answer.Status)
	}
	return body, err
}

func (s *server) json(path string, into any) error {
	body, err := s.get(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, into)
}

func (s *server) Height() int { return height }

// tlog's own paths carry the height; C2SP's, where it is always 8, do not.
func tilePath(tile tlog.Tile) string {
	return "/log/tile/" + strings.TrimPrefix(tile.Path(), "tile/8/")
}

func (s *server) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		data, err := s.get(tilePath(tile))
		if err != nil {
			return nil, err
		}
		if len(data) != tile.W*tlog.HashSize {
			return nil, fmt.Errorf("%s has %d bytes", tilePath(tile), len(data))
		}
		all = append(all, data)
	}
	return all, nil
}

// SaveTiles is told of tiles that were verified; they are asked for again.
func (s *server) SaveTiles([]tlog.Tile, [][]byte) {}

type head struct {
	Size int64     `json:"size"`
	Root tlog.Hash `json:"root"`
}

func verify(arguments []string) error {
	flags := flag.NewFlagSet("verify", flag.ContinueOnError)
	url := flags.String("url", "", "the server")
	key := flags.String("key", "", "a file of verifier keys, a line each: the log's first")
	token := flags.String("token", "", "a file with the token")
	from := flags.String("from", "", "a checkpoint kept from before")
	save := flags.String("save", "", "where to keep this one")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	secret, err := os.ReadFile(*token)
	if err != nil {
		return err
	}
	keys, err := os.ReadFile(*key)
	if err != nil {
		return err
	}
	logKey, err := note.NewVerifier(strings.Fields(string(keys))[0])
	if err != nil {
		return err
	}
	log := &server{url: *url, token: strings.TrimSpace(string(secret)), client: http.Client{Timeout: time.Minute}}

	text, err := log.get("/log/checkpoint")
	if err != nil {
		return err
	}
	now, opened, err := openCheckpoint(text, logKey)
	if err != nil {
		return fmt.Errorf("the checkpoint: %w", err)
	}
	if now.origin != logKey.Name() {
		return fmt.Errorf("the checkpoint is of %s, the key of %s", now.origin, logKey.Name())
	}
	var cosigned []string
	for _, line := range strings.Fields(string(keys))[1:] {
		key, err := newCosignatureVerifier(line)
		if err != nil {
			return err
		}
		if _, _, err := openCheckpoint(text, key); err != nil {
			return fmt.Errorf("the signature of %s: %w", key.Name(), err)
		}
		cosigned = append(cosigned, key.Name())
	}
	// Every hash that this reader gives is authenticated by the signed root.
	hashes := tlog.TileHashReader(now.Tree, log)
	if err := entries(log, now.Tree, hashes); err != nil {
		return err
	}
	if err := inclusion(log, now.Tree, hashes); err != nil {
		return err
	}
	if err := growth(log, now.Tree, hashes, now.N/2, nil); err != nil {
		return err
	}
	if *from != "" {
		kept, err := os.ReadFile(*from)
		if err != nil {
			return err
		}
		before, _, err := openCheckpoint(kept, logKey)
		if err != nil {
			return fmt.Errorf("the kept checkpoint: %w", err)
		}
		if err := growth(log, now.Tree, hashes, before.N, &before.Hash); err != nil {
			return err
		}
	}
	if *save != "" {
		if err := os.WriteFile(*save, text, 0o644); err != nil {
			return err
		}
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"origin": now.origin, "size": now.N, "root": now.Hash, "signatures": len(opened.Sigs), "cosigned": cosigned,
	})
}

// entries checks every entry's hash against the tree.
func entries(log *server, tree tlog.Tree, hashes tlog.HashReader) error {
	next := int64(0)
	for next < tree.N {
		width := min(int64(1)<<height, tree.N-next)
		path := strings.Replace(tilePath(tlog.Tile{H: height, L: -1, N: next >> height, W: int(width)}), "data", "entries", 1)
		bundle, err := log.get(path)
		if err != nil {
			return err
		}
		var indexes []int64
		for number := range width {
			indexes = append(indexes, tlog.StoredHashIndex(0, next+number))
		}
		leaves, err := hashes.ReadHashes(indexes)
		if err != nil {
			return err
		}
		for _, leaf := range leaves {
			if len(bundle) < 2 || len(bundle)-2 < int(binary.BigEndian.Uint16(bundle)) {
				return fmt.Errorf("%s ends too early", path)
			}
			length := int(binary.BigEndian.Uint16(bundle))
			entry := bundle[2 : 2+length]
			if tlog.RecordHash(entry) != leaf {
				return fmt.Errorf("the entry of index %d is not the one in the tree", next)
			}
			if !json.Valid(entry) {
				return fmt.Errorf("the entry of index %d is no JSON", next)
			}
			bundle = bundle[2+length:]
			next++
		}
		if len(bundle) != 0 {
			return fmt.Errorf("%s holds more than %d entries", path, width)
		}
	}
	return nil
}

// inclusion checks proofs that the server makes itself, of up to a hundred entries over the whole log.
func inclusion(log *server, tree tlog.Tree, hashes tlog.HashReader) error {
	for index := int64(0); index < tree.N; index += max(1, tree.N/100) {
		var answer struct {
			head
			Index int64            `json:"index"`
			Leaf  tlog.Hash        `json:"leaf"`
			Proof tlog.RecordProof `json:"proof"`
		}
		if err := log.json(fmt.Sprintf("/api/shiplog/v1/entries/%d/proof?size=%d", index+1, tree.N), &answer); err != nil {
			return err
		}
		leaf, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
		if err != nil {
			return err
		}
		if answer.Index != index || answer.Size != tree.N || answer.Root != tree.Hash || answer.Leaf != leaf[0] {
			return fmt.Errorf("the proof of index %d speaks of something else", index)
		}
		if err := tlog.CheckRecord(answer.Proof, tree.N, tree.Hash, index, leaf[0]); err != nil {
			return fmt.Errorf("the proof of index %d: %w", index, err)
		}
	}
	return nil
}

// growth checks that the log of `size` entries is a beginning of the tree, by the server's proof and by one out of tiles.
func growth(log *server, tree tlog.Tree, hashes tlog.HashReader, size int64, root *tlog.Hash) error {
	if size < 1 {
		return nil
	}
	var answer struct {
		From  head           `json:"from"`
		To    head           `json:"to"`
		Proof tlog.TreeProof `json:"proof"`
	}
	if err := log.json(fmt.Sprintf("/api/shiplog/v1/log/consistency?from=%d&to=%d", size, tree.N), &answer); err != nil {
		return err
	}
	if root == nil {
		root = &answer.From.Root
	}
	if answer.From.Root != *root || answer.To.Root != tree.Hash {
		return fmt.Errorf("the server's roots of %d and %d entries are not those it signed", size, tree.N)
	}
	if err := tlog.CheckTree(answer.Proof, tree.N, tree.Hash, size, *root); err != nil {
		return fmt.Errorf("growth from %d by the server's proof: %w", size, err)
	}
	own, err := tlog.ProveTree(tree.N, size, hashes)
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(own, tree.N, tree.Hash, size, *root); err != nil {
		return fmt.Errorf("growth from %d by tiles: %w", size, err)
	}
	return nil
}
