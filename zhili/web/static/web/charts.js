// Draws the picture of each chart from the JSON beside it and folds its table away. An extra: without script the table stands open.
(function () {
  "use strict";
  if (!window.echarts) return;
  var INK = "#1a231e", GREY = "#545f59", GREEN = "#1b7148", SECOND = "#c98a1b";

  function axis(kind, labels) {
    return kind === "label"
      ? { type: "category", data: labels, axisTick: { show: false }, axisLine: { lineStyle: { color: "#c2cbc5" } }, axisLabel: { color: GREY, fontSize: 12 } }
      : { type: "value", minInterval: 1, splitLine: { lineStyle: { color: "#e6ebe7" } }, axisLabel: { color: GREY, fontSize: 12 } };
  }

  function series(data) {
    return data.series.map(function (one, n) {
      var line = data.kind === "line" && n === 1;
      return {
        name: one.name, type: line ? "line" : "bar", data: one.values, yAxisIndex: data.kind === "line" ? n : 0,
        stack: data.kind === "stacked" ? "all" : undefined, barMaxWidth: 26, symbolSize: 7,
        itemStyle: { color: n ? SECOND : GREEN, borderRadius: line ? 0 : [3, 3, 0, 0] }, lineStyle: { width: 2.5, color: SECOND, type: "solid" },
        label: { show: data.kind === "bar" || data.kind === "share", position: data.kind === "line" ? "top" : "right", color: INK, fontSize: 12,
          formatter: function (p) { return p.value + (data.unit || ""); } }
      };
    });
  }

  function option(data) {
    var flat = data.kind === "bar" || data.kind === "share";
    var values = data.kind === "line" ? data.series.map(function (one, n) {
      var y = axis("value"); y.name = one.name; y.nameTextStyle = { color: GREY, fontSize: 12, align: n ? "right" : "left" };
      if (n) y.splitLine = { show: false }; return y; }) : axis("value");
    if (data.kind === "share") values.max = 100;
    var labels = axis("label", data.labels);
    if (flat) { labels.inverse = true; values.axisLabel = { show: false }; values.splitLine = { show: false }; }
    return {
      animation: false, textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
      aria: { enabled: false }, grid: { left: 8, right: flat ? 56 : 8, top: data.kind === "line" ? 56 : 12, bottom: 8, containLabel: true },
      legend: data.series.length > 1 ? { top: 0, itemWidth: 16, textStyle: { color: INK, fontSize: 12 } } : undefined,
      tooltip: { trigger: "axis", renderMode: "richText", axisPointer: { type: "shadow" } },
      xAxis: flat ? values : labels, yAxis: flat ? labels : values, series: series(data)
    };
  }

  document.querySelectorAll("[data-chart]").forEach(function (figure) {
    var source = document.getElementById(figure.dataset.chart);
    var box = figure.querySelector(".chart__picture");
    if (!source || !box) return;
    var data = JSON.parse(source.textContent);
    var flat = data.kind === "bar" || data.kind === "share";
    box.hidden = false;
    if (flat) box.style.height = Math.max(160, data.labels.length * 34 + 20) + "px";
    var picture = window.echarts.init(box, null, { renderer: "canvas" });
    picture.setOption(option(data));
    figure.querySelector("details").open = false;
    window.addEventListener("resize", function () { picture.resize(); });
  });
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll(".chart__table").forEach(function (one) { one.open = true; });
  });
})();
