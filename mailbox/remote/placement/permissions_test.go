// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package placement_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
	"github.com/waybill-go/waybill/mailbox/remote/placement"
)

// What docs/nodes.md says that a user needs who places processes of the kind counter.
func allowed(name string, offers bool) *natsserver.Permissions {
	subscribe := []string{"_INBOX_" + name + ".>", "waybill.cancel." + name}
	publish := []string{
		"waybill.cancel.*", "waybill.placed.counter.>", "waybill.claim.counter.*", "$KV.waybill_sessions.counter.*",
	}
	buckets := []string{"waybill_sessions", "waybill_owners"}
	if offers {
		subscribe = append(subscribe, "waybill.placed.counter.>", "waybill.claim.counter.*")
		publish = append(publish, "$KV.waybill_owners.counter.*", "$KV.states.counter.*")
	}
	for _, bucket := range append(buckets, "states") {
		publish = append(publish, "$JS.API.STREAM.INFO.KV_"+bucket, "$JS.API.DIRECT.GET.KV_"+bucket+".>")
	}
	for _, bucket := range buckets {
		publish = append(publish, "$JS.API.CONSUMER.CREATE.KV_"+bucket+".>", "$JS.API.CONSUMER.DELETE.KV_"+bucket+".>",
			"$JS.API.CONSUMER.INFO.KV_"+bucket+".>", "$JS.FC.KV_"+bucket+".>")
	}
	return &natsserver.Permissions{
		Subscribe: &natsserver.SubjectPermission{Allow: subscribe},
		Publish:   &natsserver.SubjectPermission{Allow: publish},
		Response:  &natsserver.ResponsePermission{MaxMsgs: 2, Expires: 10 * time.Minute},
	}
}

// The permissions that docs/nodes.md names are enough, for nodes that come, are used, leave and
// are lost. The buckets were made before, by somebody who may.
func TestPermissions(t *testing.T) {
	names := []string{"node-2", "node-3", "node-4"}
	c := newCluster(t)
	c.server = natstest.Start(t, natstest.Options{JetStream: true, Change: func(o *natsserver.Options) {
		o.Users = []*natsserver.User{{Username: "admin", Password: "x"}}
		for i, name := range names {
			o.Users = append(o.Users, &natsserver.User{Username: name, Password: "x", Permissions: allowed(name, i < 2)})
		}
	}})
	admin := c.newMachine(t, c.server.Conn(t, nats.UserInfo("admin", "x")), nil)
	require.NoError(t, admin.kind.Close(t.Context()))

	var mu sync.Mutex
	var violations []string
	nodes := make([]*machine, len(names))
	for i, name := range names {
		nodes[i] = c.newMachine(t, c.server.Conn(t, nats.UserInfo(name, "x"), nats.CustomInboxPrefix("_INBOX_"+name),
			nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
				mu.Lock()
				defer mu.Unlock()
				violations = append(violations, fmt.Sprint(name, ": ", err))
			})), func(config *placement.Config[counterMsg]) {
			if i == 2 {
				config.Factory = nil
			}
		})
		require.Equal(t, name, nodes[i].name)
	}
	for i := range 6 {
		id := fmt.Sprint(i)
		require.NoError(t, get(t, nodes[2], id).Send(t.Context(), add{1}))
		assert.Equal(t, 1, ask(t, nodes[2], id).N)
	}
	require.NoError(t, nodes[0].kind.Close(t.Context()))
	for i := range 6 {
		assert.Equal(t, 1, askAgain(t, nodes[2], fmt.Sprint(i)).N)
	}
	mu.Lock()
	defer mu.Unlock()
	assert.Empty(t, violations)
}
