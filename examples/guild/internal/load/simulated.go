// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/guild/internal/sessions"
	"github.com/waybill-go/waybill/examples/guild/internal/trouble"
	"github.com/waybill-go/waybill/mailbox"
)

// Simulated are clients that live where their sessions do.
type Simulated struct {
	service *sessions.Service
	running sync.WaitGroup
	cancel  context.CancelFunc
	ctx     context.Context //nolint:containedctx // Ends all clients.
	failure failure

	sys       *mailbox.System
	ends      mailbox.Ref[end]
	returning chan struct{} // holds one for each client that is coming back
}

// maxReturning is how many clients come back at the same time.
const maxReturning = 64

// NewSimulated makes simulated clients of service, which stay until Close: they are to
// get what is on its way when a run ends.
func NewSimulated(ctx context.Context, service *sessions.Service) (s *Simulated, err error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s = &Simulated{
		service: service, ctx: ctx, cancel: cancel,
		sys: mailbox.NewSystem(), returning: make(chan struct{}, maxReturning),
	}
	s.ends, err = mailbox.Spawn(s.sys, "clients", s.ended)
	return s, err
}

// Connect connects a client.
func (s *Simulated) Connect(ctx context.Context, c *Client) error {
	session, err := s.service.Connect(ctx, int64(c.Guild), c.Since(), c.Take)
	if err == nil {
		mailbox.Watch(s.ends, session, func(t mailbox.Termination) end { return end{c, t.Err} })
	}
	return err
}

// end is the end of a client's session.
type end struct {
	of  *Client
	err error
}

// ended has a client come back whose session has ended.
func (s *Simulated) ended(_ context.Context, e end) error {
	switch {
	case errors.Is(e.err, chat.ErrBehind), errors.Is(e.err, chat.ErrAway), errors.Is(e.err, trouble.ErrOnPurpose):
		s.returning <- struct{}{}
		s.running.Go(func() {
			s.comeBack(e.of)
			<-s.returning
		})
	case e.err != nil && !errors.Is(e.err, mailbox.ErrKilled):
		s.failure.set(fmt.Errorf("a client: %w", e.err))
	}
	return nil
}

func (s *Simulated) comeBack(c *Client) {
	for b := new(backoff); b.pause(s.ctx); {
		switch err := s.Connect(s.ctx, c); {
		case err == nil, s.ctx.Err() != nil:
			return
		case errors.Is(err, chat.ErrBehind), errors.Is(err, chat.ErrAway): // It comes back again.
		case errors.Is(err, sessions.ErrClosed), errors.Is(err, mailbox.ErrStopped): // It is over.
			return
		default:
			s.failure.set(fmt.Errorf("a client comes back: %w", err))
			return
		}
	}
}

// Err returns what went wrong first, nil so far.
func (s *Simulated) Err() error { return s.failure.get() }

// Close disconnects all and returns what went wrong.
func (s *Simulated) Close(ctx context.Context) error {
	s.cancel()
	err := s.sys.Shutdown(ctx)
	s.running.Wait()
	return errors.Join(s.Err(), err)
}
