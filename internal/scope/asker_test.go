// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package scope_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/scope"
)

func TestAProviderIsAskedOnceWhenTheFirstSpanStarts(t *testing.T) {
	for name, provider := range map[string]func(asked *int) trace.TracerProvider{
		"comparable":   func(asked *int) trace.TracerProvider { return counting{asked: asked} },
		"uncomparable": func(asked *int) trace.TracerProvider { return uncomparable{counting: counting{asked: asked}} },
	} {
		asked := 0
		tracer := scope.Tracer(provider(&asked), "envelope")
		assert.Zero(t, asked, name)
		tracer.Start(t.Context(), "span")
		tracer.Start(t.Context(), "span")
		assert.Equal(t, 1, asked, name)
	}
}
