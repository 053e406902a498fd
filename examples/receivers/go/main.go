// A receiver of PyAirtable webhooks. Go 1.19 or newer, nothing to install:
//
//	WEBHOOK_SECRETS=whsec_... go run .          # listens on PORT, 9000 unless set
//
// It checks both signatures of every delivery (one is enough: keep the one you prefer), refuses timestamps more than
// five minutes off, and knows a delivery again that comes twice.
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	tolerance    = 5 * time.Minute
	remembered   = 100_000
	maxBodyBytes = 1 << 20
)

// verify returns an error unless each signature was made with one of the secrets, over this body, within five minutes.
// There are two secrets while a rotation lasts; body is the bytes as they came.
func verify(secrets []string, header http.Header, body []byte, now time.Time) error {
	for _, name := range []string{"webhook-timestamp", "X-PyAirtable-Timestamp"} {
		seconds, err := strconv.ParseInt(header.Get(name), 10, 64)
		off := now.Sub(time.Unix(seconds, 0))
		if err != nil || off > tolerance || off < -tolerance {
			return fmt.Errorf("%s is missing, or more than five minutes off", strings.ToLower(name))
		}
	}
	standard, plain := false, false
	for _, secret := range secrets {
		standard = standard || standardSignatureFits(secret, header, body)
		plain = plain || plainSignatureFits(secret, header, body)
	}
	if !standard {
		return errors.New("webhook-signature does not fit")
	}
	if !plain {
		return errors.New("x-pyairtable-signature does not fit")
	}
	return nil
}

// standardSignatureFits is Standard Webhooks: one of the signatures in webhook-signature, over id, timestamp and body.
func standardSignatureFits(secret string, header http.Header, body []byte) bool {
	key := []byte(secret)
	if strings.HasPrefix(secret, "whsec_") {
		decoded, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		if err != nil {
			return false
		}
		key = decoded
	}
	signed := header.Get("webhook-id") + "." + header.Get("webhook-timestamp") + "."
	expected := []byte("v1," + base64.StdEncoding.EncodeToString(sign(key, signed, body)))
	for _, given := range strings.Fields(header.Get("webhook-signature")) {
		if hmac.Equal([]byte(given), expected) {
			return true
		}
	}
	return false
}

// plainSignatureFits checks X-PyAirtable-Signature, over timestamp and body; during a rotation -Next has the new
// secret's.
func plainSignatureFits(secret string, header http.Header, body []byte) bool {
	signed := header.Get("X-PyAirtable-Timestamp") + "."
	expected := []byte("sha256=" + hex.EncodeToString(sign([]byte(secret), signed, body)))
	return hmac.Equal([]byte(header.Get("X-PyAirtable-Signature")), expected) ||
		hmac.Equal([]byte(header.Get("X-PyAirtable-Signature-Next")), expected)
}

func sign(key []byte, prefix string, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(prefix))
	mac.Write(body)
	return mac.Sum(nil)
}

// once runs work once for each id. In production keep the ids where all your servers see them.
type once struct {
	mutex sync.Mutex
	done  map[string]bool
	order []string
}

func (o *once) run(key string, work func()) bool {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if o.done[key] {
		return false
	}
	work()
	o.done[key] = true
	o.order = append(o.order, key)
	if len(o.order) > remembered {
		delete(o.done, o.order[0])
		o.order = o.order[1:]
	}
	return true
}

func main() {
	secrets := strings.Split(os.Getenv("WEBHOOK_SECRETS"), ",")
	seen := &once{done: map[string]bool{}}
	handler := func(response http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(response, request.Body, maxBodyBytes))
		if err != nil {
			http.Error(response, "cannot be read", http.StatusRequestEntityTooLarge)
			return
		}
		if err := verify(secrets, request.Header, body, time.Now()); err != nil {
			fmt.Println("refused:", err)
			http.Error(response, err.Error(), http.StatusUnauthorized)
			return
		}
		var event struct{ ID, Type string }
		if err := json.Unmarshal(body, &event); err != nil {
			http.Error(response, "not an event", http.StatusBadRequest)
			return
		}
		// webhook-id is the event's id; the same event may come for several webhooks
		key := request.Header.Get("X-PyAirtable-Webhook-ID") + " " + request.Header.Get("webhook-id")
		work := func() { fmt.Println("accepted:", event.ID, event.Type) } // your work
		if !seen.run(key, work) {
			fmt.Println("duplicate:", event.ID)
		}
		fmt.Fprint(response, "ok")
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(getenv("HOST", "127.0.0.1"), getenv("PORT", "9000")))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	log.Fatal(http.Serve(listener, http.HandlerFunc(handler)))
}

func getenv(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
