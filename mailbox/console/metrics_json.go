// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

const (
	metricsPrefix = "waybill."
	// maxMetricNumbers bounds the numbers in an answer: a point has one, and one for each
	// of its buckets.
	maxMetricNumbers = 50_000
	// maxPointsEach bounds the points of one metric, so that no metric pushes out others.
	maxPointsEach = 1000
	// maxExemplars bounds the exemplars of a point.
	maxExemplars = 20
	// maxText bounds each text from outside, and maxProblem an error, in bytes.
	maxText    = 256
	maxProblem = 1000
	// maxAttributes bounds the attributes of a point.
	maxAttributes = 16
)

// metricsDocument is what the console says of metrics, in JSON.
type metricsDocument struct {
	// Attached is false if no meter provider has a reader of the console, and ShutDown is
	// true if one had it and was shut down.
	Attached bool `json:"attached"`
	ShutDown bool `json:"shut_down,omitempty"`
	// Time is when the metrics were collected.
	Time    time.Time `json:"time"`
	Metrics []metric  `json:"metrics"`
	// LeftOut is how many points are left out because there are too many.
	LeftOut int `json:"left_out"`
	// Problem says what went wrong. What was collected all the same is there.
	Problem string `json:"problem,omitempty"`

	numbers int // so many are in Metrics
}

// metric is one metric. Kind is sum, gauge or histogram.
type metric struct {
	Name        string  `json:"name"`
	Unit        string  `json:"unit"`
	Description string  `json:"description"`
	Kind        string  `json:"kind"`
	Monotonic   bool    `json:"monotonic,omitempty"`
	Points      []point `json:"points"`
}

// point is a value, or a histogram that has Counts.
type point struct {
	Attributes [][2]string `json:"attributes"`
	Value      *number     `json:"value,omitempty"`

	Count *uint64 `json:"count,omitempty"`
	Sum   *number `json:"sum,omitempty"`
	Min   *number `json:"min,omitempty"`
	Max   *number `json:"max,omitempty"`
	// Bounds are the upper bounds of all buckets but the last, which has none. A value
	// that is equal to a bound is in the bucket below it.
	Bounds []number `json:"bounds,omitempty"`
	Counts []uint64 `json:"counts,omitempty"`

	Exemplars []exemplar `json:"exemplars,omitempty"`
}

// exemplar is a measurement that was made in a sampled span.
type exemplar struct {
	TraceID string    `json:"trace_id"`
	SpanID  string    `json:"span_id"`
	Value   number    `json:"value"`
	Time    time.Time `json:"time"`
}

// number is a number in JSON. Those that have no form in JSON are the strings "NaN",
// "Infinity" and "-Infinity", as in the JSON of Protocol Buffers.
type number struct {
	whole    int64
	fraction float64 // if isWhole is false
	isWhole  bool
}

func newNumber[N int64 | float64](n N) number {
	if whole, ok := any(n).(int64); ok {
		return number{whole: whole, isWhole: true}
	}
	return number{fraction: float64(n)}
}

// MarshalJSON implements json.Marshaler.
func (n number) MarshalJSON() ([]byte, error) {
	switch {
	case n.isWhole:
		return strconv.AppendInt(nil, n.whole, 10), nil
	case math.IsNaN(n.fraction):
		return []byte(`"NaN"`), nil
	case math.IsInf(n.fraction, 1):
		return []byte(`"Infinity"`), nil
	case math.IsInf(n.fraction, -1):
		return []byte(`"-Infinity"`), nil
	}
	return json.Marshal(n.fraction)
}

// newMetricsDocument takes the metrics of waybill, in the order of their names.
func newMetricsDocument(read *collected, at time.Time) *metricsDocument {
	d := &metricsDocument{Attached: read.attached, ShutDown: read.shutDown, Time: at.UTC()}
	if read.err != nil {
		d.Problem = cut(read.err.Error(), maxProblem)
	}
	var ours []metricdata.Metrics
	for i := range read.programs {
		for _, scope := range read.programs[i].ScopeMetrics {
			for _, m := range scope.Metrics {
				if strings.HasPrefix(m.Name, metricsPrefix) {
					ours = append(ours, m)
				}
			}
		}
	}
	slices.SortStableFunc(ours, func(a, b metricdata.Metrics) int { return cmp.Compare(a.Name, b.Name) })
	d.Metrics = make([]metric, 0, len(ours))
	for i := range ours {
		d.add(&ours[i])
	}
	return d
}

func (d *metricsDocument) add(from *metricdata.Metrics) {
	m := metric{Name: cut(from.Name, maxText), Unit: cut(from.Unit, maxText), Description: cut(from.Description, maxText)}
	var points []point
	switch data := from.Data.(type) {
	case metricdata.Sum[int64]:
		m.Kind, m.Monotonic, points = "sum", data.IsMonotonic, valuePoints(data.DataPoints)
	case metricdata.Sum[float64]:
		m.Kind, m.Monotonic, points = "sum", data.IsMonotonic, valuePoints(data.DataPoints)
	case metricdata.Gauge[int64]:
		m.Kind, points = "gauge", valuePoints(data.DataPoints)
	case metricdata.Gauge[float64]:
		m.Kind, points = "gauge", valuePoints(data.DataPoints)
	case metricdata.Histogram[int64]:
		m.Kind, points = "histogram", histogramPoints(data.DataPoints)
	case metricdata.Histogram[float64]:
		m.Kind, points = "histogram", histogramPoints(data.DataPoints)
	case metricdata.ExponentialHistogram[int64]:
		m.Kind, points = "histogram", exponentialPoints(data.DataPoints)
	case metricdata.ExponentialHistogram[float64]:
		m.Kind, points = "histogram", exponentialPoints(data.DataPoints)
	default:
		return // A summary comes from another library.
	}
	slices.SortFunc(points, func(a, b point) int { return slices.CompareFunc(a.Attributes, b.Attributes, comparePairs) })
	m.Points = make([]point, 0, len(points))
	for i := range points {
		numbers := 1 + len(points[i].Counts)
		if i >= maxPointsEach || d.numbers+numbers > maxMetricNumbers {
			d.LeftOut++
			continue
		}
		d.numbers += numbers
		m.Points = append(m.Points, points[i])
	}
	d.Metrics = append(d.Metrics, m)
}

func comparePairs(a, b [2]string) int {
	return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
}

func valuePoints[N int64 | float64](from []metricdata.DataPoint[N]) []point {
	points := make([]point, 0, len(from))
	for i := range from {
		value := newNumber(from[i].Value)
		points = append(points, point{
			Attributes: pairs(&from[i].Attributes), Value: &value, Exemplars: exemplars(from[i].Exemplars),
		})
	}
	return points
}

func histogramPoints[N int64 | float64](from []metricdata.HistogramDataPoint[N]) []point {
	points := make([]point, 0, len(from))
	for i := range from {
		h := &from[i]
		p := summed(&h.Attributes, h.Count, h.Sum, h.Min, h.Max, h.Exemplars)
		for _, bound := range h.Bounds {
			p.Bounds = append(p.Bounds, newNumber(bound))
		}
		p.Counts = h.BucketCounts
		points = append(points, p)
	}
	return points
}

func summed[N int64 | float64](
	attributes *attribute.Set, count uint64, sum N, least, most metricdata.Extrema[N], from []metricdata.Exemplar[N],
) point {
	total := newNumber(sum)
	p := point{Attributes: pairs(attributes), Count: &count, Sum: &total, Exemplars: exemplars(from)}
	if value, ok := least.Value(); ok {
		n := newNumber(value)
		p.Min = &n
	}
	if value, ok := most.Value(); ok {
		n := newNumber(value)
		p.Max = &n
	}
	return p
}

func exemplars[N int64 | float64](from []metricdata.Exemplar[N]) []exemplar {
	var found []exemplar
	for i := range from {
		e := &from[i]
		if len(e.TraceID) != 16 || len(e.SpanID) != 8 {
			continue // It leads nowhere.
		}
		found = append(found, exemplar{hex.EncodeToString(e.TraceID), hex.EncodeToString(e.SpanID), newNumber(e.Value), moment(e.Time)})
	}
	if len(found) > maxExemplars { // The latest are kept.
		slices.SortFunc(found, func(a, b exemplar) int { return b.Time.Compare(a.Time) })
		found = found[:maxExemplars]
	}
	return found
}

func pairs(attributes *attribute.Set) [][2]string {
	found := make([][2]string, 0, min(attributes.Len(), maxAttributes))
	for i := range attributes.Len() {
		if i == maxAttributes {
			break
		}
		kv, _ := attributes.Get(i)
		found = append(found, [2]string{cut(string(kv.Key), maxText), cut(kv.Value.String(), maxText)})
	}
	return found
}
