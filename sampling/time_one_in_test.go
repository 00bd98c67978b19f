// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/sampling"
)

func TestTimeOneIn(t *testing.T) {
	for _, test := range []struct {
		n  int
		ok bool
	}{{0, true}, {1, true}, {100, true}, {1_000_000_000, true}, {-1, false}, {1_000_000_001, false}} {
		_, err := sampling.NewControl(sampling.Config{Kinds: map[string]sampling.KindConfig{"session": {TimeOneIn: test.n}}})
		if test.ok {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, sampling.ErrConfig)
		assert.ErrorContains(t, err, "time_one_in")
	}
}

func TestTimeOneInIsSetOverHTTP(t *testing.T) {
	control, err := sampling.NewControl(sampling.Config{})
	require.NoError(t, err)
	put := func(body string) int {
		answer := httptest.NewRecorder()
		control.ServeHTTP(answer, httptest.NewRequest(http.MethodPut, "/", strings.NewReader(body)))
		return answer.Code
	}
	require.Equal(t, http.StatusOK, put(`{"kinds": {"guild": {"time_one_in": 1}}, "default": {"time_one_in": 100}}`))
	assert.Equal(t, 1, control.Config().Kinds["guild"].TimeOneIn)
	assert.Equal(t, 100, control.Config().Default.TimeOneIn)
	for _, bad := range []string{"-1", "0.5", `"1"`, "null"} {
		assert.Equal(t, http.StatusBadRequest, put(`{"default": {"time_one_in": `+bad+`}}`), bad)
	}
	assert.Equal(t, 100, control.Config().Default.TimeOneIn)
}
