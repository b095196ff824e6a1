package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Cosignatures are https://c2sp.org/tlog-cosignature's: Ed25519 over a header, the time and the checkpoint.
const algorithmCosignature = 4

func cosignedMessage(text []byte, seconds uint64) []byte {
	return append([]byte(fmt.Sprintf("cosignature/v1\ntime %d\n", seconds)), text...)
}

func keyID(name string, key []byte) uint32 {
	sum := sha256.Sum256(append([]byte(name+"\n"), key...))
	return binary.BigEndian.Uint32(sum[:])
}

type cosignatureVerifier struct {
	name string
	key  []byte
}

func newCosignatureVerifier(vkey string) (note.Verifier, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, fmt.Errorf("%q is no verifier key", vkey)
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(key) != 1+ed25519.PublicKeySize || key[0] != algorithmCosignature {
		return nil, fmt.Errorf("%q is no witness's key", vkey)
	}
	verifier := cosignatureVerifier{parts[0], key}
	if fmt.Sprintf("%08x", verifier.KeyHash()) != parts[1] {
		return nil, fmt.Errorf("%q has another key id", vkey)
	}
	return verifier, nil
}

func (v cosignatureVerifier) Name() string    { return v.name }
func (v cosignatureVerifier) KeyHash() uint32 { return keyID(v.name, v.key) }
func (v cosignatureVerifier) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	seconds := binary.BigEndian.Uint64(signature)
	return seconds > 0 && ed25519.Verify(v.key[1:], cosignedMessage(text, seconds), signature[8:])
}

// aWitness is https://c2sp.org/tlog-witness for one log.
type aWitness struct {
	lock  sync.Mutex
	log   note.Verifier
	name  string
	key   ed25519.PrivateKey
	state string
	head  tlog.Tree
}

func witness(arguments []string) error {
	flags := flag.NewFlagSet("witness", flag.ContinueOnError)
	log := flags.String("log", "", "the verifier key of the log")
	name := flags.String("name", "witness.example/independent", "its own name")
	seed := flags.String("key", "", "32 bytes in hexadecimal")
	state := flags.String("state", "", "the file it keeps the last tree in")
	listen := flags.String("listen", "127.0.0.1:0", "the address")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	bytes, err := hex.DecodeString(*seed)
	if err != nil || len(bytes) != ed25519.SeedSize {
		return errors.New("-key needs 32 bytes in hexadecimal")
	}
	w := &aWitness{name: *name, key: ed25519.NewKeyFromSeed(bytes), state: *state}
	if w.log, err = note.NewVerifier(*log); err != nil {
		return err
	}
	if kept, err := os.ReadFile(*state); err == nil {
		if err := json.Unmarshal(kept, &w.head); err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	fmt.Printf("key %s+%08x+%s\n", w.name, keyID(w.name, w.publicKey()), base64.StdEncoding.EncodeToString(w.publicKey()))
	fmt.Printf("listening on http://%s\n", listener.Addr())
	mux := http.NewServeMux()
	mux.HandleFunc("POST /w/add-checkpoint", w.addCheckpoint)
	return http.Serve(listener, mux)
}

func (w *aWitness) publicKey() []byte {
	return append([]byte{algorithmCosignature}, w.key.Public().(ed25519.PublicKey)...)
}

func (w *aWitness) addCheckpoint(answer http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(io.LimitReader(request.Body, 1<<20))
	if err != nil {
		http.Error(answer, err.Error(), http.StatusBadRequest)
		return
	}
	front, text, found := strings.Cut(string(body), "\n\n")
	lines := strings.Split(front, "\n")
	old, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "old "), 10, 64)
	if !found || err != nil || !strings.HasPrefix(lines[0], "old ") || len(lines) > 64 {
		http.Error(answer, "no old size and checkpoint", http.StatusBadRequest)
		return
	}
	var proof tlog.TreeProof
	for _, line := range lines[1:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			http.Error(answer, err.Error(), http.StatusBadRequest)
			return
		}
		proof = append(proof, hash)
	}
	now, opened, err := openCheckpoint([]byte(text), w.log)
	if err != nil {
		status := http.StatusForbidden
		if !strings.HasPrefix(text, w.log.Name()+"\n") {
			status = http.StatusNotFound
		}
		http.Error(answer, err.Error(), status)
		return
	}
	w.lock.Lock()
	defer w.lock.Unlock()
	switch {
	case old > now.N:
		http.Error(answer, "the old size is the larger one", http.StatusBadRequest)
	case old != w.head.N:
		answer.Header().Set("Content-Type", "text/x.tlog.size")
		answer.WriteHeader(http.StatusConflict)
		fmt.Fprintf(answer, "%d\n", w.head.N)
	case !w.follows(now.Tree, proof):
		http.Error(answer, "the log does not go on from where it was", http.StatusUnprocessableEntity)
	default:
		if err := w.keep(now.Tree); err != nil {
			http.Error(answer, err.Error(), http.StatusInternalServerError)
			return
		}
		io.WriteString(answer, w.cosign(opened.Text))
	}
}

// keep comes before the answer: what was signed must not be forgotten.
func (w *aWitness) keep(head tlog.Tree) error {
	kept, err := json.Marshal(head)
	if err != nil {
		return err
	}
	if err := os.WriteFile(w.state+".new", kept, 0o644); err != nil {
		return err
	}
	w.head = head
	return os.Rename(w.state+".new", w.state)
}

func (w *aWitness) follows(now tlog.Tree, proof tlog.TreeProof) bool {
	switch {
	case w.head.N == 0:
		return len(proof) == 0
	case w.head.N == now.N:
		return len(proof) == 0 && w.head.Hash == now.Hash
	default:
		return tlog.CheckTree(proof, now.N, now.Hash, w.head.N, w.head.Hash) == nil
	}
}

func (w *aWitness) cosign(text string) string {
	seconds := uint64(time.Now().Unix())
	signature := binary.BigEndian.AppendUint32(nil, keyID(w.name, w.publicKey()))
	signature = binary.BigEndian.AppendUint64(signature, seconds)
	signature = append(signature, ed25519.Sign(w.key, cosignedMessage([]byte(text), seconds))...)
	return fmt.Sprintf("\u2014 %s %s\n", w.name, base64.StdEncoding.EncodeToString(signature))
}
