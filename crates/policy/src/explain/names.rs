//! Names of things of the field inside sentences.

use super::Language;
use crate::codes::{PersonRole, RecordKind, Sector, SubjectNature, TelecomBusiness};

/// A business of the telecom business catalogue, with its code.
pub(super) const fn business(business: TelecomBusiness, language: Language) -> &'static str {
    let (english, chinese) = match business {
        TelecomBusiness::B11 => ("B11 (internet data centre)", "“互联网数据中心业务”（B11）"),
        TelecomBusiness::B12 => (
            "B12 (content delivery network)",
            "“内容分发网络业务”（B12）",
        ),
        TelecomBusiness::B13 => (
            "B13 (domestic internet virtual private network)",
            "“国内互联网虚拟专用网业务”（B13）",
        ),
        TelecomBusiness::B14 => ("B14 (internet access)", "“互联网接入服务业务”（B14）"),
        TelecomBusiness::B21 => (
            "B21 (online data processing and transaction processing)",
            "“在线数据处理与交易处理业务”（B21）",
        ),
        TelecomBusiness::B22 => (
            "B22 (domestic multi-party communication)",
            "“国内多方通信服务业务”（B22）",
        ),
        TelecomBusiness::B23 => ("B23 (store and forward)", "“存储转发类业务”（B23）"),
        TelecomBusiness::B24 => ("B24 (call centre)", "“呼叫中心业务”（B24）"),
        TelecomBusiness::B25 => ("B25 (information services)", "“信息服务业务”（B25）"),
    };
    language.pick(english, chinese)
}

/// A sector.
pub(super) const fn sector(sector: Sector, language: Language) -> &'static str {
    let (english, chinese) = match sector {
        Sector::News => ("news", "新闻"),
        Sector::Publishing => ("online publishing", "网络出版"),
        Sector::Education => ("education", "教育"),
        Sector::Health => ("health information", "医疗卫生信息"),
        Sector::Pharmaceuticals => ("pharmaceutical information", "药品信息"),
        Sector::MedicalDevices => ("medical-device information", "医疗器械信息"),
        Sector::Games => ("online games", "网络游戏"),
        Sector::Culture => ("internet culture", "互联网文化"),
        Sector::Audiovisual => ("audio-visual programmes", "网络视听节目"),
        Sector::Religion => ("religious information", "宗教信息"),
        Sector::Forum => ("forums", "论坛"),
        Sector::RideHailing => ("ride hailing", "网约车"),
        Sector::Finance => ("finance", "金融"),
    };
    language.pick(english, chinese)
}

/// The approval of a sector, with the title that it bears.
pub(super) const fn approval(sector: Sector, language: Language) -> &'static str {
    let (english, chinese) = match sector {
        Sector::News => (
            "the internet news information service licence (互联网新闻信息服务许可证)",
            "互联网新闻信息服务许可证",
        ),
        Sector::Publishing => (
            "the online publishing service licence (网络出版服务许可证)",
            "网络出版服务许可证",
        ),
        Sector::Education => (
            "the consent of the education authority (教育主管部门审核同意文件)",
            "教育主管部门审核同意文件",
        ),
        Sector::Health => (
            "the consent of the health authority (卫生健康主管部门审核同意文件)",
            "卫生健康主管部门审核同意文件",
        ),
        Sector::Pharmaceuticals | Sector::MedicalDevices => (
            "the filing with the drug authority that replaced the permit in December 2025, or a \
             certificate still in term (互联网药品信息服务资格证书)",
            "药品监督管理部门的备案（2025 年 12 月起由许可改为备案），或仍在有效期内的互联网药品信息服务资格证书",
        ),
        Sector::Games => (
            "the publication approval of each game (网络游戏出版批准文号)",
            "每款游戏的网络游戏出版批准文号（版号）",
        ),
        Sector::Culture => (
            "the internet culture operating licence (网络文化经营许可证)",
            "网络文化经营许可证",
        ),
        Sector::Audiovisual => (
            "the audio-visual programme licence (信息网络传播视听节目许可证), or the registration \
             that stands in for it",
            "信息网络传播视听节目许可证或相应的平台登记",
        ),
        Sector::Religion => (
            "the internet religious information service licence (互联网宗教信息服务许可证)",
            "互联网宗教信息服务许可证",
        ),
        Sector::Forum => (
            "the consent for bulletin board services (电子公告服务)",
            "电子公告服务批准文件",
        ),
        Sector::RideHailing => (
            "the ride-hailing operating licence (网络预约出租汽车经营许可证)",
            "网络预约出租汽车经营许可证",
        ),
        Sector::Finance => (
            "the approval of the financial regulator (金融监管部门批准文件)",
            "金融监管部门批准文件",
        ),
    };
    language.pick(english, chinese)
}

/// Records of a kind.
pub(super) const fn records(kind: RecordKind, language: Language) -> &'static str {
    let (english, chinese) = match kind {
        RecordKind::Subject => ("filing subjects", "备案主体"),
        RecordKind::Service => ("filed services", "备案服务"),
        RecordKind::Access => ("access links", "接入信息"),
        RecordKind::Application => ("filing applications", "备案订单"),
        RecordKind::Licence => ("telecom business licences", "电信业务经营许可证"),
        RecordKind::Registration => ("domain registrations", "域名注册信息"),
        RecordKind::Block => ("blocks", "黑名单"),
        RecordKind::Approval => ("sector approvals", "前置审批"),
        RecordKind::PublicSecurityFiling => ("public-security filings", "公安联网备案"),
        RecordKind::DisplayObservation => ("home-page observations", "首页巡查记录"),
    };
    language.pick(english, chinese)
}

/// Bodies of a nature.
pub(super) const fn nature(nature: SubjectNature, language: Language) -> &'static str {
    let (english, chinese) = match nature {
        SubjectNature::Enterprise => ("enterprises", "企业"),
        SubjectNature::Individual => ("natural persons", "个人"),
        SubjectNature::Government => ("government and party bodies", "党政机关"),
        SubjectNature::PublicInstitution => ("public institutions", "事业单位"),
        SubjectNature::SocialOrganisation => ("social organisations", "社会团体"),
    };
    language.pick(english, chinese)
}

/// A role in an organisation.
pub(super) const fn role(role: PersonRole, language: Language) -> &'static str {
    let (english, chinese) = match role {
        PersonRole::LegalRepresentative => ("its legal representative", "法定代表人"),
        PersonRole::Principal => ("its principal", "主要负责人"),
        PersonRole::SeniorManager => ("a senior manager", "高级管理人员"),
        PersonRole::Shareholder => ("a shareholder", "股东"),
        PersonRole::Webmaster => ("the person responsible for the site", "网站负责人"),
    };
    language.pick(english, chinese)
}

/// The organisation itself and those whose roles are accepted, as an alternative.
pub(super) fn accepted<'a>(
    roles: impl IntoIterator<Item = &'a PersonRole>,
    language: Language,
) -> String {
    let mut parties = vec![language.pick("the organisation itself", "本单位")];
    parties.extend(roles.into_iter().map(|accepted| role(*accepted, language)));
    let (comma, or) = match language {
        Language::English => (", ", " or "),
        Language::Chinese => ("、", "或"),
    };
    match parties.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{}{or}{last}", others.join(comma)),
        None => String::new(),
    }
}
