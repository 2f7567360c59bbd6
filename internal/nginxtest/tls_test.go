package nginxtest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/nginxtest"
)

// certificate makes one for this machine, and returns the paths of its files and whoever trusts it.
func certificate(t *testing.T) (chain, key string, trust *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kadr.example"}, DNSNames: []string{"kadr.example"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	chain, key = filepath.Join(folder, "fullchain.pem"), filepath.Join(folder, "privkey.pem")
	for name, block := range map[string]*pem.Block{chain: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	trust = x509.NewCertPool()
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	trust.AddCert(parsed)
	return chain, key, trust
}

// TestTLS has a certificate mounted: HTTPS with HTTP/2, and HTTP that leads there.
func TestTLS(t *testing.T) {
	t.Parallel()
	chain, key, trust := certificate(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, r.Host, " ", r.Header.Get("X-Forwarded-Proto"))
	}))
	t.Cleanup(server.Close)
	start := func(settings ...string) *nginxtest.Gateway {
		return nginxtest.Run(t, nginxtest.Config{
			Upstream: server.Listener.Addr().String(), Storage: t.TempDir(), Workers: 1, Certificate: chain, Key: key, Settings: settings,
		})
	}
	g := start("KADR_PUBLIC_URL=https://kadr.example/", "KADR_GATEWAY_ALT_SVC=h3=\":443\"; ma=60")
	client := &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trust, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
	t.Cleanup(client.CloseIdleConnections)
	for _, path := range []string{"/", "/i/x", "/api/v1/feed", "/metrics"} {
		res, err := client.Get("https://" + g.SecureAddress + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.ProtoMajor != 2 || res.TLS == nil || res.Header.Get("Strict-Transport-Security") != "max-age=31536000" || res.Header.Get("Alt-Svc") != `h3=":443"; ma=60` {
			t.Errorf("%s: %s %v", path, res.Proto, res.Header)
		}
	}

	for _, method := range []string{"GET", "HEAD", "POST"} {
		r := ask(t, g.URL, method, "/i/x?w=1&x=%2F", nil)
		if r.Status != http.StatusPermanentRedirect || r.Header.Get("Location") != "https://kadr.example/i/x?w=1&x=%2F" || r.Body != "" || r.Header.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s by HTTP: %+v", method, r)
		}
	}
	if r := ask(t, g.URL, "GET", "/.well-known/acme-challenge/none", nil); r.Status != http.StatusNotFound {
		t.Errorf("an ACME challenge by HTTP: %+v", r)
	}
	if r := ask(t, g.SecureAddress, "GET", "/x", nil); r.Status != http.StatusPermanentRedirect || r.Header.Get("Location") != "https://kadr.example/x" {
		t.Errorf("HTTP where TLS is spoken: %+v", r)
	}
	// Without a public address it is the host that was asked for, on the port that people know.
	if r := ask(t, start("KADR_HTTPS_PORT=8443").URL, "GET", "/x", nil); r.Header.Get("Location") != "https://kadr.example:8443/x" {
		t.Errorf("without a public address: %+v", r)
	}

	for version, want := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		conn, err := tls.Dial("tcp", g.SecureAddress, &tls.Config{RootCAs: trust, MinVersion: version, MaxVersion: version})
		if (err == nil) != want {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err == nil {
			conn.Close()
		}
	}
	for _, suite := range tls.InsecureCipherSuites() {
		conn, err := tls.Dial("tcp", g.SecureAddress, &tls.Config{RootCAs: trust, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}})
		if err == nil {
			t.Errorf("%s is spoken", suite.Name)
			conn.Close()
		}
	}
}

// TestProxyBefore says how people came to it, and of which trace they are. Only one that is trusted is believed.
func TestProxyBefore(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, r.Header["X-Forwarded-For"], r.Header["X-Forwarded-Proto"], r.Header["Traceparent"], r.Header["Tracestate"])
	}))
	t.Cleanup(server.Close)
	for setting, c := range map[string]struct{ body, hsts string }{
		"KADR_OUTER_PROXIES=127.0.0.0/8, 10.0.0.0/8": {"[203.0.113.9] [https] [00-1-2-01] [a=b]", "max-age=31536000"},
		"KADR_OUTER_PROXIES=10.0.0.0/8":              {"[127.0.0.1] [http] [] []", ""},
		"KADR_OUTER_PROXIES=":                        {"[127.0.0.1] [http] [] []", ""},
	} {
		g := nginxtest.Run(t, nginxtest.Config{Upstream: server.Listener.Addr().String(), Storage: t.TempDir(), Workers: 1, Settings: []string{setting}})
		r := ask(t, g.URL, "GET", "/api/x", map[string]string{
			"X-Forwarded-For": "198.51.100.1, 203.0.113.9, 10.1.2.3", "X-Forwarded-Proto": "https", "Traceparent": "00-1-2-01", "Tracestate": "a=b",
		})
		if r.Body != c.body || r.Header.Get("Strict-Transport-Security") != c.hsts {
			t.Errorf("%s: %+v", setting, r)
		}
	}
}

// stub stands in for nginx where only the start script is tested: it writes down how it was called.
const stub = `#!/bin/sh
echo "$@" >>"$KADR_GATEWAY_RUN/calls"
case "$*" in *"daemon off"*) exec sleep 60 ;; esac
`

// TestStartTakesCertificatesIntoUse runs the container's entrypoint, first without a certificate, then with one that has just
// come, then with the next.
func TestStartTakesCertificatesIntoUse(t *testing.T) {
	t.Parallel()
	dir, run := t.TempDir(), t.TempDir()
	if err := nginxtest.WriteFiles(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "nginx"), []byte(stub), 0o755); err != nil {
		t.Fatal(err)
	}
	chain, key := filepath.Join(dir, "fullchain.pem"), filepath.Join(dir, "privkey.pem")
	cmd := exec.Command("/bin/sh", filepath.Join(dir, "start"))
	cmd.Env = []string{
		"PATH=" + dir + ":/usr/local/bin:/usr/bin:/bin", "KADR_GATEWAY_RUN=" + run, "KADR_GATEWAY_WATCH=0.1", "KADR_TLS_CERTIFICATE=" + chain, "KADR_TLS_KEY=" + key,
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // the watcher ends when nginx has
		_ = cmd.Wait()
	})
	wait := func(name, text string, times int) {
		t.Helper()
		var got []byte
		for range 1000 {
			if got, _ = os.ReadFile(filepath.Join(run, name)); strings.Count(string(got), text) >= times {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatalf("%s has not %d times %q:\n%s", name, times, text, got)
	}
	wait("calls", "daemon off", 1)
	wait("plain.conf", "include site.conf;", 1)
	if https, err := os.ReadFile(filepath.Join(run, "https.conf")); err != nil || len(https) > 0 {
		t.Errorf("without a certificate there is %q (%v)", https, err)
	}
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(key, "a key")
	put(chain, "a chain")
	wait("https.conf", "ssl_certificate "+chain+";", 1)
	wait("plain.conf", "include redirect.conf;", 1)
	wait("calls", "-s reload", 1)
	put(chain, "the next chain")
	wait("calls", "-s reload", 2)
}

// TestStartRefusesNonsense holds the settings of the gateway against what somebody may write there: each fault is named, and
// nothing becomes part of nginx's configuration.
func TestStartRefusesNonsense(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{
		"KADR_MAX_UPLOAD_BYTES=50M", "KADR_MAX_UPLOAD_BYTES=-1", "KADR_MAX_UPLOAD_BYTES=1;", "KADR_UPSTREAM=app", "KADR_UPSTREAM=app:80;evil", "KADR_UPSTREAM=a b:80",
		"KADR_PUBLIC_URL=https://a$b", "KADR_PUBLIC_URL=ftp://a", "KADR_PUBLIC_URL=https://a\";evil", "KADR_PUBLIC_URL=https://a\nevil", "KADR_OUTER_PROXIES=gateway",
		"KADR_OUTER_PROXIES=10.0.0.0/8;evil", "KADR_UNLIMITED=all", "KADR_TLS_KEY=/key", "KADR_TLS_CERTIFICATE=cert", "KADR_HTTPS_PORT=https", "KADR_GATEWAY_STORAGE=/a\"b",
	} {
		_, err := nginxtest.Start(t.Context(), nginxtest.Config{Storage: "/none", Upstream: "127.0.0.1:1", Settings: []string{setting}})
		name, _, _ := strings.Cut(setting, "=")
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "exit status 2") {
			t.Errorf("%q: %v", setting, err)
		}
	}
}
