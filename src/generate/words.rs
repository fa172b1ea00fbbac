//! Words that invented names are put together from.

/// Words that companies name themselves after.
pub(super) const BRANDS: &[&str] = &[
    "云帆", "星河", "远山", "晨光", "海蓝", "青松", "明月", "启航", "金石", "恒远", "春晖", "瑞泽",
    "宏图", "天成", "众诚", "嘉禾", "飞鸿", "盛景", "博文", "安和", "华章", "同心", "新程", "长风",
];

/// What companies do.
pub(super) const TRADES: &[&str] = &[
    "科技",
    "网络科技",
    "信息技术",
    "贸易",
    "电子商务",
    "文化传媒",
    "机械设备",
    "建材",
    "食品",
    "物流",
    "教育咨询",
    "广告",
    "服装",
    "旅游",
    "农业开发",
    "环保工程",
];

/// Government bodies.
pub(super) const BODIES: &[&str] = &["局", "委员会", "办公室", "人民政府"];

/// Public institutions.
pub(super) const INSTITUTIONS: &[&str] = &["学院", "医院", "研究院", "图书馆", "服务中心"];

/// Social organisations.
pub(super) const SOCIETIES: &[&str] = &["协会", "商会", "基金会", "学会"];

/// The word for a number.
pub(super) fn word(words: &[&'static str], number: u64) -> &'static str {
    let count = u64::try_from(words.len()).unwrap_or(u64::MAX).max(1);
    let at = usize::try_from(number % count).unwrap_or_default();
    words.get(at).copied().unwrap_or_default()
}
