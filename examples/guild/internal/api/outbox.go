// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel/propagation"

	"github.com/waybill-go/waybill/examples/guild/guildpb"
	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/guild/internal/store"
)

const (
	deliverTime = 10 * time.Second // how long one post may take, once it is its turn
	maxBacklog  = 1000             // posts of a guild that are stored and not delivered
	minRetry    = 50 * time.Millisecond
	maxRetry    = 5 * time.Second
	replayed    = 100 // posts that are read at a time
)

var (
	errBacklog = errors.New("too many posts have yet to be delivered")
	errLater   = errors.New("posts before it have yet to be delivered")
)

// outbox delivers what is stored, every guild's posts one after another in the
// order of their numbers: at once where that works, else later. What a crash has
// left undelivered comes first. It delivers each at least once; who gets one twice
// knows it by its number.
type outbox struct {
	store      *store.Store
	guilds     guildpb.GuildsClient
	propagator propagation.TextMapPropagator
	log        *slog.Logger
	lanes      map[int64]*lane
	behind     chan struct{} // holds one when there may be something to deliver later
	end        context.CancelFunc
	replaying  sync.WaitGroup
}

// lane is one guild's part. All but its turn belongs to whose turn it is.
type lane struct {
	turn      chan struct{} // holds one unless it is somebody's turn
	last      int64         // number of the latest post
	delivered int64         // of the latest that is delivered
}

// newOutbox begins with what there is to deliver in guilds 1 to n. ctx bounds
// finding that out.
func newOutbox(
	ctx context.Context, n int, db *store.Store, guilds guildpb.GuildsClient,
	propagator propagation.TextMapPropagator, log *slog.Logger,
) (*outbox, error) {
	o := &outbox{
		store: db, guilds: guilds, propagator: propagator, log: log,
		lanes: make(map[int64]*lane, n), behind: make(chan struct{}, 1),
	}
	for guild := int64(1); guild <= int64(n); guild++ {
		mark, err := db.Mark(ctx, guild)
		if err != nil {
			return nil, err
		}
		l := &lane{turn: make(chan struct{}, 1), last: mark.Last, delivered: mark.Delivered}
		l.turn <- struct{}{}
		o.lanes[guild] = l
	}
	ctx, o.end = context.WithCancel(context.WithoutCancel(ctx))
	o.deliverLater()
	o.replaying.Go(func() { o.replay(ctx) })
	return o, nil
}

// close stops delivering; what is left comes with the next start.
func (o *outbox) close() {
	o.end()
	o.replaying.Wait()
}

// take waits for a guild's turn, which the caller gives back; or returns
// [chat.ErrUnknownGuild], or ctx's error.
func (o *outbox) take(ctx context.Context, guild int64) (*lane, error) {
	l, ok := o.lanes[guild]
	if !ok {
		return nil, chat.ErrUnknownGuild
	}
	select {
	case <-l.turn:
		return l, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the posts before it: %w", ctx.Err())
	}
}

// tryTake takes the turn if it is nobody's.
func (l *lane) tryTake() bool {
	select {
	case <-l.turn:
		return true
	default:
		return false
	}
}

func (l *lane) giveBack() { l.turn <- struct{}{} }

// room says whether one more post may be stored.
func (l *lane) room() error {
	if l.last-l.delivered >= maxBacklog {
		return errBacklog
	}
	return nil
}

// deliver delivers the guild's latest post, of which it is the turn; later, with
// an error that says why, if it does not work now.
func (o *outbox) deliver(ctx context.Context, l *lane, p *store.Post) (*guildpb.PublishResponse, error) {
	l.last = p.Seq
	var published *guildpb.PublishResponse
	err := errLater
	if l.delivered == p.Seq-1 {
		published, err = o.publish(ctx, l, p)
	}
	if err != nil {
		o.deliverLater()
	}
	return published, err
}

func (o *outbox) publish(ctx context.Context, l *lane, p *store.Post) (*guildpb.PublishResponse, error) {
	published, err := o.guilds.Publish(ctx, &guildpb.PublishRequest{
		GuildId: p.Guild, MessageId: p.ID, Seq: p.Seq, Author: p.Author, Content: p.Content,
	})
	if err == nil {
		l.delivered = p.Seq
		o.store.Delivered(p.Guild, p.Seq)
	}
	return published, err
}

func (o *outbox) deliverLater() {
	select {
	case o.behind <- struct{}{}:
	default:
	}
}

// replay delivers what could not be delivered at once, until ctx ends.
func (o *outbox) replay(ctx context.Context) {
	for retry := minRetry; ; {
		select {
		case <-o.behind:
		case <-ctx.Done():
			return
		}
		err := o.replayAll(ctx)
		if err == nil {
			retry = minRetry
			continue
		}
		if ctx.Err() != nil {
			return
		}
		o.log.WarnContext(ctx, "posts are stored and not delivered, trying again",
			slog.Any("error", err), slog.Duration("in", retry))
		o.deliverLater()
		select {
		case <-time.After(retry):
			retry = min(2*retry, maxRetry)
		case <-ctx.Done():
			return
		}
	}
}

func (o *outbox) replayAll(ctx context.Context) error {
	var errs []error
	for guild := range o.lanes {
		if err := o.replayGuild(ctx, guild); err != nil {
			errs = append(errs, fmt.Errorf("guild %d: %w", guild, err))
		}
	}
	return errors.Join(errs...)
}

// replayGuild delivers what a guild has left. Each post goes on with the trace
// that it was stored with.
func (o *outbox) replayGuild(ctx context.Context, guild int64) error {
	l, err := o.take(ctx, guild)
	if err != nil {
		return err
	}
	defer l.giveBack()
	for l.delivered < l.last {
		posts, err := o.store.After(ctx, guild, l.delivered, replayed)
		if err != nil {
			return err
		}
		if len(posts) == 0 || posts[0].Seq != l.delivered+1 {
			return fmt.Errorf("post %d is not in the store", l.delivered+1)
		}
		for i := range posts {
			ctx, cancel := context.WithTimeout(o.propagator.Extract(ctx, posts[i].Trace), deliverTime)
			_, err = o.publish(ctx, l, &posts[i])
			cancel()
			if err != nil {
				return err
			}
		}
	}
	return nil
}
