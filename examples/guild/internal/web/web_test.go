// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package web_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/guild/internal/guilds"
	"github.com/waybill-go/waybill/examples/guild/internal/web"
)

// The page is told what is served beside it. It has no script or style in its HTML, which
// the policy of the edge would refuse.
func TestThePageIsToldWhatThereIs(t *testing.T) {
	get := func(c web.Config, path string) string {
		w := httptest.NewRecorder()
		web.Handler(c).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		require.Equal(t, http.StatusOK, w.Code, path)
		return w.Body.String()
	}
	assert.JSONEq(t, `{"guilds":3,"nodes":0,"chat":true,"operators":false}`, get(web.Config{Guilds: 3, Chat: true}, "/api/config"))
	assert.JSONEq(t, `{"guilds":3,"nodes":2,"chat":false,"operators":true}`, get(web.Config{Guilds: 3, Nodes: 2, Operators: true}, "/api/config"))
	page := get(web.Config{}, "/")
	assert.NotRegexp(t, `(?i)<style|\sstyle=|\son[a-z]+=|<script(>|\s[^>]*>[^<])`, page)
	for _, file := range regexp.MustCompile(`(?:src|href)="([a-z]+\.(?:js|css))"`).FindAllStringSubmatch(page, -1) {
		assert.NotEmpty(t, get(web.Config{}, "/"+file[1]), file[1])
	}
}

// The page gets what there is to see of a guild, and no more of a failure than that
// there was one.
func TestTheViewOfAGuild(t *testing.T) {
	get := func(path string, view guilds.View, err error) (status int, body string) {
		c := web.Config{View: func(_ context.Context, guild int64) (guilds.View, error) {
			assert.EqualValues(t, 7, guild)
			return view, err
		}}
		w := httptest.NewRecorder()
		web.Handler(c).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code, w.Body.String()
	}
	status, body := get("/api/guilds/7", guilds.View{
		Here: 1, GuildState: chat.GuildState{Seq: 2, Joins: 3, Peak: 4, Lost: 5},
	}, nil)
	assert.Equal(t, http.StatusOK, status)
	assert.JSONEq(t, `{"guild":7,"here":1,"last":2,"joins":3,"peak":4,"lost":5}`, body)
	status, _ = get("/api/guilds/7", guilds.View{}, fmt.Errorf("guild 7: %w", chat.ErrUnknownGuild))
	assert.Equal(t, http.StatusNotFound, status)
	status, body = get("/api/guilds/7", guilds.View{}, errors.New("secret"))
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.NotContains(t, body, "secret")
	status, _ = get("/api/guilds/seven", guilds.View{}, nil)
	assert.Equal(t, http.StatusNotFound, status)
}
