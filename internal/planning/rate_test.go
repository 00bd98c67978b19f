// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package planning_test

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/internal/planning"
	"github.com/waybill-go/waybill/internal/spanrate"
	"github.com/waybill-go/waybill/internal/stattest"
	"github.com/waybill-go/waybill/sampling"
)

// service is a program that fans out, at random times, to groups of several
// sizes. Its load is half of the target for a while, and then ten times as much.
type service struct {
	truth, estimate float64 // total latency of all recipients, and what the weights make of it
	spans           int     // chosen after the load has settled
}

const (
	serviceTarget = 100.0 // spans per second
	serviceQuiet  = 60    // seconds
	serviceEnd    = 660
	serviceSettle = serviceQuiet + 5*serviceWindow
	serviceWindow = 5
)

var serviceSizes = []int{1, 10, 100, 400, 2000}

// run plays the service; plan plans a fan-out to n at that time.
func (s *service) run(plan func(n int, now time.Duration) (chosen []int, weight float64)) {
	random, now := stattest.Fixed(41), 0.0
	totals := make([]float64, len(serviceSizes))
	for i, n := range serviceSizes {
		totals[i] = totalLatency(n)
	}
	for {
		perSecond := 5.0
		if now > serviceQuiet {
			perSecond = 100
		}
		if now += random.ExpFloat64() / perSecond; now > serviceEnd {
			return
		}
		i := random.IntN(len(serviceSizes))
		s.truth += totals[i]
		chosen, weight := plan(serviceSizes[i], time.Duration(now*float64(time.Second)))
		for _, x := range chosen {
			s.estimate += weight * latency(x)
		}
		if now > serviceSettle {
			s.spans += len(chosen)
		}
	}
}

// check judges whether the rate is at most 5 % above its target, and not far
// below, and the total within 2 %.
func (s *service) check() error {
	perSecond := float64(s.spans) / (serviceEnd - serviceSettle)
	var errs []error
	if perSecond > 1.05*serviceTarget || perSecond < 0.9*serviceTarget {
		errs = append(errs, fmt.Errorf("%.1f spans per second", perSecond))
	}
	if off := s.estimate/s.truth - 1; math.Abs(off) > 0.02 {
		errs = append(errs, fmt.Errorf("the total is off by %.1f %%", 100*off))
	}
	return errors.Join(errs...)
}

func TestRateOfAService(t *testing.T) {
	config := sampling.GroupConfig{SpansPerSecond: serviceTarget}
	planner := planning.Planner{Config: config, Rate: spanrate.New(serviceWindow * time.Second), Random: stattest.Fixed(42)}
	var s service
	s.run(func(n int, now time.Duration) ([]int, float64) {
		planner.Now = now
		p := planner.Plan(n)
		return p.Sampled, p.Weight()
	})
	require.NoError(t, s.check())
	t.Logf("%.2f spans per second, total off by %.2f %%",
		float64(s.spans)/(serviceEnd-serviceSettle), 100*(s.estimate/s.truth-1))
}

func TestRateNegativeControls(t *testing.T) {
	random := stattest.Fixed(42)
	var none service
	none.run(func(n int, _ time.Duration) ([]int, float64) {
		p := planOf(sampling.GroupConfig{}, n, random)
		return p.Sampled, p.Weight()
	})
	require.ErrorContains(t, none.check(), "spans per second")
	require.NotContains(t, none.check().Error(), "total")

	var dropped service // What is beyond the target in each second is dropped after the choice.
	second, left := time.Duration(-1), 0.0
	dropped.run(func(n int, now time.Duration) ([]int, float64) {
		if now.Truncate(time.Second) != second {
			second, left = now.Truncate(time.Second), serviceTarget
		}
		p := planOf(sampling.GroupConfig{}, n, random)
		kept := min(len(p.Sampled), int(left))
		left -= float64(kept)
		return p.Sampled[:kept], p.Weight()
	})
	require.ErrorContains(t, dropped.check(), "total")

	var counted service // N/k where less than one is expected.
	planner := planning.Planner{
		Config: sampling.GroupConfig{SpansPerSecond: serviceTarget / 3}, Rate: spanrate.New(serviceWindow * time.Second), Random: random,
	}
	counted.run(func(n int, now time.Duration) ([]int, float64) {
		planner.Now = now
		p := planner.Plan(n)
		return p.Sampled, byCount(p)
	})
	require.ErrorContains(t, counted.check(), "total")
}
