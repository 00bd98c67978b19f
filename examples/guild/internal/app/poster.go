// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// postTime is how long one post may take.
const postTime = 30 * time.Second

// poster posts by the HTTP API, as anybody may.
type poster struct {
	addr string // HOST:PORT of the API
	http *http.Client
}

func newPoster(addr string) *poster {
	return &poster{addr, &http.Client{Timeout: postTime, Transport: &http.Transport{}}}
}

// post sends a post and returns its number.
func (p *poster) post(ctx context.Context, guild int64, author, content string) (seq int64, err error) {
	body, err := json.Marshal(map[string]string{"author": author, "content": content})
	if err != nil {
		return 0, err
	}
	url := fmt.Sprintf("http://%s/guilds/%d/messages", p.addr, guild)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return 0, fmt.Errorf("send a post: %w", err)
	}
	answer, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return 0, fmt.Errorf("send a post: %w", err)
	}
	if resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusAccepted {
		return 0, fmt.Errorf("send a post: %s: %s", resp.Status, bytes.TrimSpace(answer))
	}
	var post struct {
		Seq int64 `json:"seq"`
	}
	if err = json.Unmarshal(answer, &post); err != nil {
		return 0, fmt.Errorf("send a post: %w", err)
	}
	return post.Seq, nil
}

// close closes the connections that nothing goes over.
func (p *poster) close() { p.http.CloseIdleConnections() }
