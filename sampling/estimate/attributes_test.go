// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/attribute"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/estimate"
)

const shed = attribute.Key("waybill.fanout.shed")

func TestWeight(t *testing.T) {
	weight := sampling.WeightKey
	for name, test := range map[string]struct {
		attrs []attribute.KeyValue
		want  float64
		ok    bool
	}{
		"none":            {nil, 1, true},
		"others":          {[]attribute.KeyValue{sampling.SizeKey.Int(7), mailbox.LateReasonKey.String("slow")}, 1, true},
		"double":          {[]attribute.KeyValue{weight.Float64(1000.5)}, 1000.5, true},
		"int":             {[]attribute.KeyValue{weight.Int(12)}, 12, true},
		"exemplar":        {[]attribute.KeyValue{mailbox.LateReasonKey.String("slow"), weight.Float64(0)}, 0, true},
		"stratum":         {[]attribute.KeyValue{mailbox.LateReasonKey.String("slow"), weight.Float64(1)}, 1, true},
		"late and chosen": {[]attribute.KeyValue{mailbox.LateReasonKey.String("refused_full"), weight.Float64(9)}, 9, true},
		"later counts":    {[]attribute.KeyValue{weight.Float64(-1), weight.Float64(3)}, 3, true},
		"not shed":        {[]attribute.KeyValue{weight.Float64(3), shed.Bool(false)}, 3, true},
		"none shed":       {[]attribute.KeyValue{weight.Float64(3), shed.Int(0)}, 3, true},
		"shed":            {[]attribute.KeyValue{weight.Float64(3), shed.Bool(true)}, 0, false},
		"twelve shed":     {[]attribute.KeyValue{shed.Int(12)}, 0, false},
		"string":          {[]attribute.KeyValue{weight.String("3")}, 0, false},
		"negative":        {[]attribute.KeyValue{weight.Float64(-3)}, 0, false},
		"below one":       {[]attribute.KeyValue{weight.Float64(0.25)}, 0, false},
		"absurd":          {[]attribute.KeyValue{weight.Float64(1e16)}, 0, false},
		"infinite":        {[]attribute.KeyValue{weight.Float64(math.Inf(1))}, 0, false},
		"no number":       {[]attribute.KeyValue{weight.Float64(math.NaN())}, 0, false},
	} {
		got, ok := estimate.Weight(test.attrs)
		assert.Equal(t, test.want, got, name)
		assert.Equal(t, test.ok, ok, name)
	}
}

// What sampling writes is what is read.
func TestStageOfWhatSamplingWrites(t *testing.T) {
	random := fixed(13)
	for range 2000 {
		n := 1 + random.IntN(1<<(1+random.IntN(20)))
		plan := capped(1+random.IntN(1000)).Plan(n, random)
		f := sampling.Fanout{}.Recipient(plan)
		attrs := f.Attributes(nil)
		assert.Equal(t, estimate.Stage{Fanout: "b", Size: n, Chosen: len(plan.Chosen)}, estimate.StageOf("b", attrs))
		weight, ok := estimate.Weight(attrs)
		assert.True(t, ok)
		assert.Equal(t, f.Weight, weight)
	}
}

func TestStageOf(t *testing.T) {
	size, share := sampling.SizeKey, sampling.ProbabilityKey
	nothing := estimate.Stage{Fanout: "b"}
	for name, test := range map[string]struct {
		attrs []attribute.KeyValue
		want  estimate.Stage
	}{
		"none":             {nil, nothing},
		"both":             {[]attribute.KeyValue{size.Int(100), share.Float64(0.1)}, estimate.Stage{Fanout: "b", Size: 100, Chosen: 10}},
		"one now and then": {[]attribute.KeyValue{size.Int(100), share.Float64(0.0025)}, estimate.Stage{Fanout: "b", Size: 100, Chosen: 1}},
		"broadcast":        {[]attribute.KeyValue{share.Float64(0.1), size.Int(100), mailbox.FanoutSampledKey.Int(10)}, nothing},
		"late":             {[]attribute.KeyValue{mailbox.LateReasonKey.String("slow"), sampling.WeightKey.Float64(1)}, nothing},
		"no share":         {[]attribute.KeyValue{size.Int(100)}, nothing},
		"no size":          {[]attribute.KeyValue{share.Float64(0.1)}, nothing},
		"size below one":   {[]attribute.KeyValue{size.Int(0), share.Float64(0.1)}, nothing},
		"absurd size":      {[]attribute.KeyValue{size.Float64(1e300), share.Float64(0.1)}, nothing},
		"share of nothing": {[]attribute.KeyValue{size.Int(9), share.Float64(0)}, nothing},
		"share above one":  {[]attribute.KeyValue{size.Int(9), share.Float64(1.1)}, nothing},
		"no number":        {[]attribute.KeyValue{size.String("9"), share.Float64(math.NaN())}, nothing},
	} {
		assert.Equal(t, test.want, estimate.StageOf("b", test.attrs), name)
	}
}

func TestReadingAttributesAllocatesNothing(t *testing.T) {
	attrs := sampling.Fanout{}.Recipient(sampling.Config{}.Plan(10_000, nil)).Attributes(nil)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		weight, _ := estimate.Weight(attrs)
		if estimate.StageOf("b", attrs).Size != 10_000 || weight == 0 {
			panic("not read")
		}
	}))
}
