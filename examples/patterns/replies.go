// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package patterns

import (
	"context"
	"time"

	"github.com/waybill-go/waybill/envelope"
)

// channels: question

// Question asks for the price of an item.
type Question struct {
	Item   string
	Until  time.Time // when whoever asks stops waiting
	Answer chan<- int
}

// channels: end

// Ask sends a question and waits for the answer, for patience at most.
func Ask(
	ctx context.Context, questions chan<- envelope.Envelope[Question], item string, patience time.Duration,
) (int, error) {
	// channels: ask
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	until, _ := ctx.Deadline()
	answer := make(chan int, 1) // It has room, so that a late answer blocks nobody.
	if err := envelope.Send(ctx, questions, Question{item, until, answer}); err != nil {
		return 0, err
	}
	select {
	case price := <-answer:
		return price, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	// channels: end
}

// Answer answers all questions that can be answered in time.
func Answer(
	ctx context.Context, questions <-chan envelope.Envelope[Question],
	lookUp func(context.Context, string) (int, error),
) {
	// channels: answer
	for ctx, question := range envelope.Receive(ctx, questions, "look up price") {
		ctx, cancel := context.WithDeadline(ctx, question.Until)
		if price, err := lookUp(ctx, question.Item); err == nil {
			question.Answer <- price
		}
		cancel()
	}
	// channels: end
}
