// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package durable_test

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox/remote/durable"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// The permissions that docs/nodes.md lists are enough to consume: to fail, to be linked, to be
// given more time, to be a dead letter, to be handed back.
func TestPermissions(t *testing.T) {
	page, err := os.ReadFile("../../../docs/nodes.md")
	require.NoError(t, err)
	var listed []string
	_, after, found := strings.Cut(string(page), "A program that consumes needs permission")
	require.True(t, found)
	list, _, _ := strings.Cut(after, "##")
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\S+)`").FindAllStringSubmatch(list, -1) {
		listed = append(listed, row[1])
	}
	s := natstest.Start(t, natstest.Options{JetStream: true, Change: func(o *server.Options) {
		o.Users = []*server.User{
			{Username: "operator", Password: "operator"},
			{Username: "shipper", Password: "shipper", Permissions: &server.Permissions{
				Publish:   &server.SubjectPermission{Allow: listed},
				Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX_shipping.>"}},
			}},
		}
	}})
	js := streams(t, s.Conn(t, nats.UserInfo("operator", "operator")))
	for name, subject := range map[string]string{"ORDERS": "orders", "DEAD": "dead.>"} {
		_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{subject}})
		require.NoError(t, err)
	}
	_, err = js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "waybill_redelivery"})
	require.NoError(t, err)

	denied := make(chan error, 16)
	shipper := streams(t, s.Conn(t, nats.UserInfo("shipper", "shipper"), nats.CustomInboxPrefix("_INBOX_shipping"),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { denied <- err })))
	conf := config()
	conf.MaxDeliver = 2
	q := newQueue(t, shipper, conf)
	begun := make(chan struct{}, 1)
	c, ref := consume(t, q, newSystem(t), func(ctx context.Context, d durable.Delivery[order]) error {
		if d.Message.N == 0 {
			return errBroken
		}
		begun <- struct{}{}
		<-ctx.Done()
		return nil
	})
	publisher := newQueue(t, js, conf)
	publish(t, publisher, 0)
	eventually(t, func() bool { return q.Stats().DeadLetters.Failed == 1 })
	publish(t, publisher, 1, 2)
	<-begun
	eventually(t, func() bool { return q.Stats().Held == 2 && q.Stats().Extended > 0 })
	ref.Kill()
	<-c.Done()
	s2 := q.Stats()
	requireBalance(t, s2)
	assert.Equal(t, uint64(1), s2.Returned)
	assert.Zero(t, s2.Forgotten)
	assert.Zero(t, s2.DeadLetterErrors)
	select {
	case err := <-denied:
		require.NoError(t, err)
	default:
	}
}
