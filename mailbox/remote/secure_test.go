// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// certificate writes a certificate for 127.0.0.1 and its key into files, and returns what
// signs it: itself.
func certificate(t *testing.T, certFile, keyFile string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	require.NoError(t, os.WriteFile(certFile, certPEM, 0o600))
	require.NoError(t, os.WriteFile(keyFile, keyPEM, 0o600))
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	require.NoError(t, err)
	return pair
}

// nkey writes a seed into a file and returns the public key.
func nkey(t *testing.T, file string) string {
	t.Helper()
	pair, err := nkeys.CreateUser()
	require.NoError(t, err)
	seed, err := pair.Seed()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, seed, 0o600))
	public, err := pair.PublicKey()
	require.NoError(t, err)
	return public
}

// The page's connection works, and its permissions are enough for both ends and for no more:
// with mutual TLS, NKeys, inboxes of their own, and answers to requests only.
func TestSecuredServer(t *testing.T) {
	t.Chdir(t.TempDir())
	trusted := certificate(t, "node.pem", "node-key.pem")
	require.NoError(t, os.Link("node.pem", "ca.pem"))
	pool := x509.NewCertPool()
	leaf, err := x509.ParseCertificate(trusted.Certificate[0])
	require.NoError(t, err)
	pool.AddCert(leaf)
	guilds, api := nkey(t, "node.nk"), nkey(t, "api.nk")
	server := natstest.Start(t, natstest.Options{Change: func(o *natsserver.Options) {
		o.TLS, o.TLSVerify, o.TLSTimeout = true, true, patience.Seconds()
		o.TLSConfig = &tls.Config{
			Certificates: []tls.Certificate{trusted}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13,
		}
		o.Nkeys = []*natsserver.NkeyUser{{Nkey: guilds, Permissions: &natsserver.Permissions{
			Subscribe: &natsserver.SubjectPermission{Allow: []string{"guild.*", "_INBOX_guilds.>", "waybill.cancel.guilds"}},
			Publish:   &natsserver.SubjectPermission{Allow: []string{"waybill.cancel.*"}},
			Response:  &natsserver.ResponsePermission{MaxMsgs: 2, Expires: 10 * time.Minute},
		}}, {Nkey: api, Permissions: &natsserver.Permissions{
			Subscribe: &natsserver.SubjectPermission{Allow: []string{"_INBOX_api.>", "waybill.cancel.api"}},
			Publish:   &natsserver.SubjectPermission{Allow: []string{"guild.*", "waybill.cancel.*"}},
		}}}
	}})

	var mu sync.Mutex
	var violations []error
	noted := nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		mu.Lock()
		defer mu.Unlock()
		violations = append(violations, err)
	})
	there, err := connected(server.URL())
	require.NoError(t, err)
	t.Cleanup(there.Close)
	require.NoError(t, noted(&there.Opts))
	identity, err := nats.NkeyOptionFromSeed("api.nk")
	require.NoError(t, err)
	here := server.Conn(t, nats.RootCAs("ca.pem"), nats.ClientCert("node.pem", "node-key.pem"), identity,
		nats.CustomInboxPrefix("_INBOX_api"), noted)

	h := newHeld()
	serving := newMachineOf(t, there, nil, remote.WithID("guilds"))
	serve(t, serving, "guild.42", asks(), h.handle)
	calling := newMachineOf(t, here, nil, remote.WithID("api"))
	ref := refTo(t, calling, "guild.42", asks())
	result := make(chan error, 1)
	go func() {
		_, err := asking(t.Context(), ref, 0)
		result <- err
	}()
	await(t, h.begun)
	time.AfterFunc(100*time.Millisecond, func() { close(h.leave) }) // Long enough for the node to say that it will answer.
	require.NoError(t, await(t, result))
	_, err = asking(t.Context(), ref, 0)
	require.NoError(t, err)
	mu.Lock()
	require.Empty(t, violations)
	mu.Unlock()

	// Others may neither hear nor answer.
	_, err = here.Subscribe("guild.*", func(*nats.Msg) {})
	require.NoError(t, err)
	require.NoError(t, there.Publish("guild.42", nil))
	require.NoError(t, there.Publish("_INBOX_api.x", nil))
	require.NoError(t, there.Flush())
	eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(violations) == 3
	})
	for _, err := range violations {
		assert.ErrorIs(t, err, nats.ErrPermissionViolation)
	}
}
