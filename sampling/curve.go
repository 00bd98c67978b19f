// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// ErrCurve means that points do not make a curve. Test with [errors.Is].
var ErrCurve = errors.New("sampling: invalid curve")

// Point gives the share of recipients that are sampled at one size of a fan-out.
type Point struct {
	Size        int     `json:"size"`        // number of recipients, at least 1
	Probability float64 `json:"probability"` // share of them that is sampled, above 0 and at most 1
}

// Curve gives the probability with which a recipient is sampled, by the size of the
// fan-out. Between its points it is straight where both axes are logarithmic. Before the
// first point and after the last it is flat. The zero value is [DefaultCurve].
type Curve struct {
	points []Point // sorted by size; never written after NewCurve
}

var defaultPoints = []Point{{1, 1}, {100, 0.1}, {10_000, 0.001}}

// DefaultCurve samples a single recipient always, 10 % of 100, and 0.1 % of 10,000 and
// more.
func DefaultCurve() Curve { return Curve{} }

// Always is the curve that samples every recipient of any fan-out.
func Always() Curve { return Curve{points: []Point{{1, 1}}} }

// NewCurve makes a curve through points, in any order. It copies them. The
// error wraps [ErrCurve] and names the point at fault: there must be one point
// at least, no two of the same size, sizes of at least 1, and probabilities
// above 0 and at most 1.
func NewCurve(points ...Point) (Curve, error) {
	if len(points) == 0 {
		return Curve{}, fmt.Errorf("%w: no points", ErrCurve)
	}
	sorted := slices.Clone(points)
	slices.SortFunc(sorted, func(a, b Point) int { return cmp.Compare(a.Size, b.Size) })
	for i, p := range sorted {
		switch {
		case p.Size < 1:
			return Curve{}, fmt.Errorf("%w: size %d is below 1", ErrCurve, p.Size)
		case !(p.Probability > 0 && p.Probability <= 1): // Also true for NaN.
			return Curve{}, fmt.Errorf("%w: probability %v at size %d is not in (0, 1]", ErrCurve, p.Probability, p.Size)
		case i > 0 && p.Size == sorted[i-1].Size:
			return Curve{}, fmt.Errorf("%w: size %d twice", ErrCurve, p.Size)
		}
	}
	return Curve{points: sorted}, nil
}

// Probability returns the share of n recipients that is sampled, in (0, 1].
func (c Curve) Probability(n int) float64 {
	points := c.points
	if len(points) == 0 {
		points = defaultPoints
	}
	after, exact := slices.BinarySearchFunc(points, n, func(p Point, n int) int { return cmp.Compare(p.Size, n) })
	switch {
	case exact:
		return points[after].Probability
	case after == 0:
		return points[0].Probability
	case after == len(points):
		return points[after-1].Probability
	}
	a, b := points[after-1], points[after]
	along := math.Log(float64(n)/float64(a.Size)) / math.Log(float64(b.Size)/float64(a.Size))
	p := a.Probability * math.Pow(b.Probability/a.Probability, along)
	// Rounding may carry it beyond its points, and so above 1.
	return min(max(p, min(a.Probability, b.Probability)), max(a.Probability, b.Probability))
}
