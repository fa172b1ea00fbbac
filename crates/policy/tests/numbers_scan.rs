//! Finding numbers on pages: shapes of real footers, and what must not be taken for a number.

use icpgate_policy::numbers::{MAX_FOUND, MAX_PAGE_CHARS, Mode, Number, scan};
use proptest::prelude::*;

const YEAR: i16 = 2026;

fn found(text: &str) -> Vec<String> {
    scan(text, YEAR)
        .iter()
        .map(|found| found.number.to_string())
        .collect()
}

#[test]
fn real_footers() {
    for (page, numbers) in [
        ("京ICP备 12022551号", "京ICP备12022551号"),
        (
            "冀ICP备06000578 &nbsp;冀ICP证B2-20130050",
            "冀ICP备06000578号 冀B2-20130050",
        ),
        (
            "沪ICP备13002172号-3沪ICP证：沪B2-20100043",
            "沪ICP备13002172号-3 沪B2-20100043",
        ),
        ("ICP证：黔ICP备14000582号-1", "黔ICP备14000582号-1"),
        (
            "粤ICP备2024036893号-1&emsp;|&emsp;粤公网安备 44030502008569号",
            "粤ICP备2024036893号-1 粤公网安备44030502008569号",
        ),
        ("陇ICP备 05000593 2024 版权所有", "陇ICP备05000593号"),
        (
            "const ICP = '京ICP备10046444号-12A';",
            "京ICP备10046444号-12A",
        ),
        (
            "京ICP备<span class=\"n\">10046444</span>号\n-2</a><b>2024",
            "京ICP备10046444号-2",
        ),
        ("京ICP备\n   1004\n   6444号", "京ICP备10046444号"),
        (
            "京ICP证030173号-1 京ICP备10046444号",
            "京ICP证030173号-1 京ICP备10046444号",
        ),
        (
            "增值电信业务经营许可证：合字B2-20190051 | A2.B1.B2-20100001",
            "合字B2-20190051 A2.B1.B2-20100001",
        ),
        (
            "京ICP备10046444号-1B2-20190051",
            "京ICP备10046444号-1 B2-20190051",
        ),
        (
            "京ICP备10046444号-京公网安备11010802032137号",
            "京ICP备10046444号 京公网安备11010802032137号",
        ),
        (
            "京ICP备10046444号-1ICP证B2-20190051",
            "京ICP备10046444号-1 B2-20190051",
        ),
        (
            "京ICP备10046444ICP证B2-20190051",
            "京ICP备10046444号 B2-20190051",
        ),
        (
            "京ICP备10046444号-1All rights reserved",
            "京ICP备10046444号-1",
        ),
        ("京ICP备10046444号-1 A company", "京ICP备10046444号-1"),
        ("京ICP备10046444号 - 2024 Company", "京ICP备10046444号"),
        ("京ICP备10046444 -2024 Company", "京ICP备10046444号"),
        ("京ICP备10046444号-1 2024", "京ICP备10046444号-1"),
        ("广东省粤icp備2024036893號", "粤ICP备2024036893号"),
    ] {
        assert_eq!(found(page).join(" "), numbers, "{page}");
    }
}

#[test]
fn look_alikes_and_fakes_are_not_found() {
    for page in [
        "京网文[2016]1234-567号",
        "京网文（2023）4872-140号",
        "信息网络传播视听节目许可证 0110516 / 0910417",
        "网站标识码 4401000001",
        "互联网药品信息服务资格证书（苏）-非经营性-2016-0005",
        "出版物经营许可证 新出发京零字第东200012号",
        "乙测资字32005078",
        "萌ICP备20259514号",
        "彬ICP备20252823号",
        "港B2-20100043",
        "萌B2-20100043",
        "XB2-20100043",
        "MB2-20100043-1",
        "京ICP备12345678号",
        "粤ICP备XXXXXXXX号",
        "京ICP备00000000号-1A",
        "沪ICP证000000号",
        "京ICP备093817344号",
        "甘公网安备 235487154313号",
        "川ICP备2026033844号",
        "粤B2-200900591",
        "",
        "<!-- 京ICP备10046444号 -->",
    ] {
        assert_eq!(found(page), Vec::<String>::new(), "{page}");
    }
}

#[test]
fn places_and_missing_hao_are_reported() {
    let page = "<p>©&nbsp;2026 京ICP备 10046444 </p>粤B2-20090059号";
    let all = scan(page, YEAR);
    let chars: Vec<char> = page.chars().collect();
    let texts: Vec<String> = all
        .iter()
        .map(|found| chars[found.position..found.end].iter().collect())
        .collect();
    assert_eq!(texts, ["京ICP备 10046444", "粤B2-20090059号"]);
    assert_eq!(
        all.iter()
            .map(|found| found.missing_hao)
            .collect::<Vec<_>>(),
        [true, false]
    );
}

#[test]
fn long_pages_are_read_at_both_ends() {
    let filler = "字".repeat(MAX_PAGE_CHARS);
    let page = format!("京ICP备10046444号{filler}粤ICP备2024036893号-1</html>");
    assert_eq!(found(&page), ["京ICP备10046444号", "粤ICP备2024036893号-1"]);
}

#[test]
fn hostile_pages_end() {
    assert_eq!(
        scan(&"京ICP备10046444号".repeat(2 * MAX_FOUND), YEAR).len(),
        MAX_FOUND
    );
    for piece in [
        "<a",
        "&",
        "&nbsp",
        "京ICP备",
        "ICP证:",
        "B2.",
        "1",
        "京ICP备1",
        "<!--",
    ] {
        let page = piece.repeat(50_000 / piece.chars().count());
        assert_eq!(found(&page), Vec::<String>::new(), "{piece}");
    }
}

proptest! {
    #[test]
    fn any_page_is_answered(page in "\\PC{0,200}") {
        let _ = scan(&page, YEAR);
    }

    #[test]
    fn what_is_found_is_valid_and_in_order(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "京", "ICP备", "ICP证", "公网安备", "10046444", "号", "-", "1", "A", "B2-20090059", " ",
            "<b>", "：",
        ]), 0..30)
    ) {
        let page = pieces.concat();
        let mut last = 0;
        for found in scan(&page, YEAR) {
            prop_assert!(found.position >= last && found.position < found.end);
            last = found.end;
            let again = Number::parse(found.number.as_str(), Mode::Strict, YEAR);
            prop_assert_eq!(again.unwrap().number, found.number);
        }
        prop_assert!(last <= page.chars().count());
    }
}
