// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package members_test

import (
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/mailbox/remote/internal/members"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start is when the tests begin: not zero, and not positive either.
const start = -time.Hour

func newTable(node string) *members.Table {
	return members.New(members.Config{Node: node, Session: 1, Prefix: "waybill.group.g."})
}

// announced returns an announcement as a node writes it.
func announced(node string, session, number uint64, size int) []byte {
	return fmt.Appendf(nil, `{"node":%q,"session":%d,"number":%d,"members":%d}`, node, session, number, size)
}
